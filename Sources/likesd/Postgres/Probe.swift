import CLinux
import CPostgres
import CSystemd
import LikesProtocol
import LikesSettings
import LikesStorage

/// Why a probe got no answer.
struct ProbeFailure: Error {
    var refusal: ConnectRefusal
    var target: DatabaseTarget
    /// It sent what no PostgreSQL sends, or more than was asked for.
    var isUnexpected = false
}

/// Asks a server one question, over a connection of its own that ends with the answer, without ever waiting.
final class Probe<Answer> {
    private let loop: EventLoop
    private let url: String
    private let question: String
    private let read: (borrowing StatementResult) -> Answer?
    private let onEnd: (Result<Answer, ProbeFailure>) -> Void
    private var connection: OpaquePointer?
    private var source: IOSource?
    private var isAsking = false
    private let intake = Intake()

    /// `read`: nil if the result is no answer. `onEnd` is called once, unless the probe is cancelled before.
    init(
        url: String, question: String, loop: EventLoop, read: @escaping (borrowing StatementResult) -> Answer?,
        onEnd: @escaping (Result<Answer, ProbeFailure>) -> Void
    ) {
        self.url = url
        self.question = question
        self.loop = loop
        self.read = read
        self.onEnd = onEnd
    }

    deinit { cancel() }

    /// Begins; returns the failure if it ends at once. `overrides` take precedence over the URL.
    func start(_ overrides: ConnectionStart.Settings) -> ProbeFailure? {
        connection = ConnectionStart.begin("likesd look", url: url, overrides)
        PQsetNoticeProcessor(connection, { _, _ in }, nil)
        guard PQstatus(connection) != CONNECTION_BAD, watch(EPOLLOUT.rawValue) else {
            // Before any attempt, libpq's words are about the setting and may repeat a part of it.
            var failure = failure
            failure.refusal = ConnectRefusal(ofLibpq: connection, about: url)
            cancel()
            return failure
        }
        return nil
    }

    func cancel() {
        // While connecting, libpq may close its socket in any of its functions, so the source goes first.
        source?.cancel()
        source = nil
        Intake.close(connection)
        connection = nil
    }

    private var failure: ProbeFailure {
        ProbeFailure(refusal: ConnectRefusal(ofLibpq: connection), target: DatabaseTarget(of: connection))
    }

    private func end(_ result: Result<Answer, ProbeFailure>) {
        cancel()
        onEnd(result)
    }

    // MARK: Events

    private func watch(_ events: UInt32) -> Bool {
        source = try? loop.watch(PQsocket(connection), for: events) { [unowned self] events in
            defer { Reading.ended() }
            Reading.begins(.postgres)
            if self.isAsking { self.collect() } else { self.poll() }
        }
        return source != nil
    }

    /// Calls a libpq function that may read.
    private func reading<Outcome>(_ function: (OpaquePointer?) -> Outcome) -> Outcome {
        intake.reading(Intake.bytesMax()) { function(connection) }
    }

    /// A server that sends without end is given up.
    private func isBearable() -> Bool {
        guard let excess = intake.excess(over: Intake.bytesMax(), "for one answer") else { return true }
        endUnexpected(excess)
        return false
    }

    private func endUnexpected(_ text: String) {
        let target = DatabaseTarget(of: connection)
        end(.failure(ProbeFailure(refusal: ConnectRefusal(text), target: target, isUnexpected: true)))
    }

    private func poll() {
        source?.cancel()
        source = nil
        let state = reading { PQconnectPoll($0) }
        guard isBearable() else { return }
        let isAlive =
            switch state {
            case PGRES_POLLING_READING: watch(EPOLLIN.rawValue)
            case PGRES_POLLING_WRITING: watch(EPOLLOUT.rawValue)
            case PGRES_POLLING_OK: ask()
            default: false
            }
        if !isAlive { end(.failure(failure)) }
    }

    private func ask() -> Bool {
        isAsking = true
        guard PQsetnonblocking(connection, 1) == 0, reading({ PQsendQuery($0, question) }) == 1
        else {
            return false
        }
        return flush()
    }

    private func flush() -> Bool {
        let status = reading { PQflush($0) }
        guard status >= 0 else { return false }
        let events = status == 0 ? EPOLLIN.rawValue : EPOLLIN.rawValue | EPOLLOUT.rawValue
        guard let source else { return watch(events) }
        source.setEvents(events)
        return true
    }

    private func collect() {
        guard reading({ PQconsumeInput($0) }) == 1, flush() else { return end(.failure(failure)) }
        guard isBearable() else { return }
        guard PQisBusy(connection) == 0 else { return }
        guard let raw = PQgetResult(connection) else { return end(.failure(failure)) }
        let result = StatementResult(raw)
        guard result.isOrdinary else { return endUnexpected(PostgresLink.unasked) }
        guard result.status == PGRES_TUPLES_OK, let answer = read(result) else {
            let text = "\(result.message)"
            return end(.failure(ProbeFailure(refusal: ConnectRefusal(text), target: DatabaseTarget(of: connection))))
        }
        end(.success(answer))
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
    /// libpq's last message. `url`: the setting, of which it may repeat a part.
    init(ofLibpq connection: OpaquePointer?, about url: String? = nil) {
        let words =
            PQerrorMessage(connection).map { ForeignText.beginning(of: $0, Self.messageBytesMax) } ?? "no connection"
        self.init(url.map { DatabaseURL.redacted(words, about: $0) } ?? words)
    }
}
