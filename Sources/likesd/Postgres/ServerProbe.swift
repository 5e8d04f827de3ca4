import CLinux
import CPostgres
import CSystemd
import LikesCore
import LikesProtocol

/// Asks one server who it is, over a connection of its own that ends with the answer, without ever waiting.
final class ServerProbe {
    struct Failure: Error {
        var refusal: ConnectRefusal
        var target: DatabaseTarget
    }

    private let loop: EventLoop
    private let configuration: Configuration
    private let onEnd: (Result<ServerFacts, Failure>) -> Void
    private var connection: OpaquePointer?
    private var source: IOSource?
    private var isAsking = false

    /// `onEnd` is called once, unless the probe is cancelled before.
    init(configuration: Configuration, loop: EventLoop, onEnd: @escaping (Result<ServerFacts, Failure>) -> Void) {
        self.configuration = configuration
        self.loop = loop
        self.onEnd = onEnd
    }

    deinit { cancel() }

    /// Begins; the failure, where it ends with that.
    func start(_ server: DatabaseServer) -> Failure? {
        let overrides = DatabaseHosts.settings([server]) + [("target_session_attrs", "any")]
        connection = ConnectionStart.begin("likesd look", url: configuration.databaseURL, overrides)
        PQsetNoticeProcessor(connection, { _, _ in }, nil)
        guard PQstatus(connection) != CONNECTION_BAD, watch(EPOLLOUT.rawValue) else {
            // What libpq says before any attempt is about the setting, of which it may repeat a part.
            var failure = failure
            failure.refusal = ConnectRefusal(ofLibpq: connection, about: configuration.databaseURL)
            cancel()
            return failure
        }
        return nil
    }

    func cancel() {
        // libpq may close its socket in any of its functions while connecting: the source goes first.
        source?.cancel()
        source = nil
        PQfinish(connection)
        connection = nil
    }

    private var failure: Failure {
        Failure(refusal: ConnectRefusal(ofLibpq: connection), target: DatabaseTarget(of: connection))
    }

    private func end(_ result: Result<ServerFacts, Failure>) {
        cancel()
        onEnd(result)
    }

    // MARK: Events

    private func watch(_ events: UInt32) -> Bool {
        source = try? loop.watch(PQsocket(connection), for: events) { [unowned self] events in
            if self.isAsking { self.collect() } else { self.poll() }
        }
        return source != nil
    }

    private func poll() {
        source?.cancel()
        source = nil
        let isAlive =
            switch PQconnectPoll(connection) {
            case PGRES_POLLING_READING: watch(EPOLLIN.rawValue)
            case PGRES_POLLING_WRITING: watch(EPOLLOUT.rawValue)
            case PGRES_POLLING_OK: ask()
            default: false
            }
        if !isAlive { end(.failure(failure)) }
    }

    private func ask() -> Bool {
        isAsking = true
        guard PQsetnonblocking(connection, 1) == 0, PQsendQuery(connection, ServerFacts.question) == 1 else {
            return false
        }
        return flush()
    }

    private func flush() -> Bool {
        let status = PQflush(connection)
        guard status >= 0 else { return false }
        let events = status == 0 ? EPOLLIN.rawValue : EPOLLIN.rawValue | EPOLLOUT.rawValue
        guard let source else { return watch(events) }
        source.setEvents(events)
        return true
    }

    private func collect() {
        guard PQconsumeInput(connection) == 1, flush() else { return end(.failure(failure)) }
        guard PQisBusy(connection) == 0 else { return }
        guard let raw = PQgetResult(connection) else { return end(.failure(failure)) }
        let result = StatementResult(raw)
        guard result.status == PGRES_TUPLES_OK, let facts = result.serverFacts else {
            let text = "\(result.message)"
            return end(.failure(Failure(refusal: ConnectRefusal(text), target: DatabaseTarget(of: connection))))
        }
        end(.success(facts))
    }
}

extension DatabaseTarget {
    /// Where the connection leads, or was to lead.
    init(of connection: OpaquePointer?) {
        func text(_ value: UnsafePointer<CChar>?) -> String { value.map { String(cString: $0) } ?? "" }
        self.init(
            host: text(PQhost(connection)), port: text(PQport(connection)), database: text(PQdb(connection)),
            role: text(PQuser(connection)))
    }
}

extension ConnectRefusal {
    /// What libpq said last. `url`: of which it may repeat a part.
    init(ofLibpq connection: OpaquePointer?, about url: String? = nil) {
        let words =
            PQerrorMessage(connection).map { ForeignText.beginning(of: $0, Self.messageBytesMax) } ?? "no connection"
        self.init(url.map { DatabaseURL.redacted(words, about: $0) } ?? words)
    }
}

extension StatementResult {
    /// The answer to `ServerFacts.question`.
    fileprivate var serverFacts: ServerFacts? {
        guard rowCount == 1, let row = try? texts(0) else { return nil }
        return ServerFacts(row)
    }
}
