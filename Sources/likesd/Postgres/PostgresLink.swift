import CLinux
import CPostgres
import CSystemd
import Glibc
import LikesCore
import LikesSettings
import LikesStorage

/// A connection to PostgreSQL, made and set up without ever waiting. Its subclasses use it.
class PostgresLink {
    private enum Stage {
        case idle
        case resolving
        case connecting
        case settingUp(ConnectionSetup)
        /// A second connection is asked meanwhile, and nothing on this one.
        case comparing(ConnectionSetup, SessionProbe)
        case ready
    }

    let driver: CoreDriver
    let configuration: Configuration
    private let backend: Backend
    private let loop: EventLoop
    private let statements: [PreparedStatement]
    private let servers: any ServerFinder
    private var found: FoundServer?
    private var stage = Stage.idle
    private(set) var connection: OpaquePointer?
    private var source: IOSource?
    private var intake = Intake()
    /// It was set up before, at whatever server.
    private var hadTables = false

    init(
        _ backend: Backend, preparing statements: [PreparedStatement], driver: CoreDriver, loop: EventLoop,
        configuration: Configuration, servers: any ServerFinder
    ) {
        self.backend = backend
        self.statements = statements
        self.driver = driver
        self.loop = loop
        self.configuration = configuration
        self.servers = servers
    }

    // MARK: For subclasses

    /// The server chosen from several.
    var chosen: ServerView.Seen? { if case .chosen(let seen)? = found { seen } else { nil } }

    var isReady: Bool { if case .ready = stage { true } else { false } }

    /// The connection is set up and its statements are prepared. False: it cannot be used.
    func setupEnded(_ types: TypeNumbers, _ facts: DatabaseFacts) -> Bool { true }

    /// What earlier connections learned about item types.
    var learntTypes: TypeNumbers? { nil }

    /// Rows that the next answer may have; nil: nothing was asked.
    var rowsAwaited: Int? { nil }

    /// Statements that the next answer is to.
    var statementsAwaited: Int { 1 }

    /// Takes the results that have arrived.
    func collect() {}

    /// The server said something apart from its results. libpq must not be called from here.
    func noticed(_ notice: ServerNotice) {}

    /// The connection is gone, and with it everything under way.
    func forget() {}

    /// Sends a prepared statement; results are binary. False: the connection was lost over it.
    func send(_ statement: PreparedStatement, _ parameters: borrowing StatementParameters) -> Bool {
        let status = parameters.withPointers { count, values, lengths in
            let binary = [Int32](repeating: 1, count: Int(count))
            return reading { PQsendQueryPrepared($0, statement.rawValue, count, values, lengths, binary, 1) }
        }
        if status == 0 { lose() }
        return status != 0
    }

    /// Writes what libpq holds, and waits for the socket if it does not accept everything.
    func flush() {
        guard connection != nil else { return }
        switch reading({ PQflush($0) }) {
        case 0: source?.setEvents(EPOLLIN.rawValue)
        case 1: source?.setEvents(EPOLLIN.rawValue | EPOLLOUT.rawValue)
        default: lose()
        }
    }

    /// Calls a libpq function that may read. Those that write do, when the socket accepts no more.
    func reading<Outcome>(_ function: (OpaquePointer?) -> Outcome) -> Outcome {
        intake.reading(bytesMax) { function(connection) }
    }

    /// The next of the results that have arrived.
    func nextResult() -> OpaquePointer? {
        guard let result = PQgetResult(connection) else { return nil }
        intake.handOut(result)
        return result
    }

    /// All results of the awaited answer were taken.
    func endAnswer() {
        if let connection {
            intake.endAnswer(on: connection, rows: rowsAwaited ?? 0, statements: statementsAwaited)
        }
    }

    /// Closes the connection and tells the core, once.
    func lose(_ failure: BackendFailure? = nil) {
        if case .idle = stage { return }
        var failure = failure ?? refusal()
        if case .unreachable(let text, let next) = failure, LibpqWords.tellOfNoProtocol(text) {
            failure = .unexpected(text, next: next)
        }
        close()
        driver.deliver { core, turn in core.lost(backend, failure, &turn) }
    }

    // MARK: Coming and going

    /// Begins to connect, once the server is known.
    func connect() {
        precondition(connection == nil, "a second connection of one kind to PostgreSQL")
        stage = .resolving
        servers.find(for: backend) { [unowned self] found in self.connect(found) }
    }

    private func connect(_ found: FoundServer) {
        if case .failed(let failure) = found { return lose(failure) }
        stage = .connecting
        self.found = found
        connection = ConnectionStart.begin(applicationName, url: servers.url, found.settings)
        guard let connection else { return lose(.unreachable("no memory for a connection")) }
        intake = Intake()
        PQsetNoticeReceiver(
            connection,
            { context, result in
                guard let context, let result else { return }
                let link = Unmanaged<PostgresLink>.fromOpaque(context).takeUnretainedValue()
                link.intake.handOut(notice: result)
                let notice = ServerNotice(result)
                link.driver.deliver { core, turn in core.noticed(notice.text, &turn) }
                link.noticed(notice)
            }, Unmanaged.passUnretained(self).toOpaque())
        if PQstatus(connection) == CONNECTION_BAD { return lose(refusal(isWithoutAttempt: true)) }
        watch(EPOLLOUT.rawValue)
    }

    /// As the server shows it.
    private var applicationName: String {
        switch backend {
        case .lane: "likesd lane"
        case .reader: "likesd reader"
        case .standby: "likesd standby"
        case .redis, .subscriber: preconditionFailure("not PostgreSQL's")
        }
    }

    /// Closes without telling the core.
    func disconnect() { close() }

    /// Gives up its server, unless it is the one given.
    func leave(_ failure: BackendFailure, unlessAt server: ServerView.Seen?) {
        if let chosen, let server, chosen.facts.isSameServer(as: server.facts) { return }
        // A connection that waits for a server hears of the same.
        if case .resolving = stage { return }
        lose(failure)
    }

    private func close() {
        if case .comparing(_, let probe) = stage { probe.cancel() }
        stage = .idle
        found = nil
        servers.forget(backend)
        // While connecting, libpq may close its socket in any of its functions, so the source goes first.
        source?.cancel()
        source = nil
        Intake.close(connection)
        connection = nil
        forget()
    }

    private var errorText: String { errorRefusal.text }

    private var errorRefusal: ConnectRefusal {
        ConnectRefusal(ofLibpq: connection)
    }

    /// What libpq says about the connection, and what to do if it could not be made. Before any attempt, libpq's words
    /// are about the setting and may repeat a part of it.
    private func refusal(isWithoutAttempt: Bool = false) -> BackendFailure {
        let refusal = ConnectRefusal(
            ofLibpq: connection, about: isWithoutAttempt ? servers.url : nil)
        switch stage {
        case .connecting:
            return .unreachable(
                refusal.text, next: advice.connecting(refusal.reason, target, hadTables: hadTables))
        case .idle, .resolving, .settingUp, .comparing, .ready: return .unreachable(refusal.text)
        }
    }

    /// What the commands of an advice are about.
    var target: DatabaseTarget { DatabaseTarget(of: connection) }

    var advice: Advice { Advice(configuration, on: .measured(), database: servers.setting) }

    // MARK: Events

    private func watch(_ events: UInt32) {
        do {
            source = try loop.watch(PQsocket(connection), for: events) { [unowned self] in self.ready($0) }
        } catch {
            lose(.unreachable(error.message))
        }
    }

    private func ready(_ events: UInt32) {
        defer { Reading.ended() }
        Reading.begins(.postgres)
        switch stage {
        case .idle, .resolving: return
        case .connecting: poll()
        case .settingUp, .comparing, .ready:
            let isAlive = events & ~EPOLLOUT.rawValue == 0 || reading { PQconsumeInput($0) } == 1
            let reason = isAlive ? "" : errorText
            // What arrived before the end can still be read: an outcome, or why the server hung up.
            switch stage {
            case .settingUp: goOnWithSetup()
            case .ready: collect()
            case .idle, .resolving, .connecting, .comparing: break
            }
            guard connection != nil else { return }
            guard isAlive else { return lose(.unreachable(reason)) }
            if isBearable() { flush() }
        }
    }

    /// False: the connection was given up because the server sent something other than answers, or endless data.
    private func isBearable() -> Bool {
        let what: StaticString =
            switch stage {
            case .idle, .resolving, .connecting, .settingUp, .comparing: "before it can be used"
            case .ready: rowsAwaited == nil ? "without having been asked" : "in one answer"
            }
        if let excess = intake.excess(over: bytesMax, what) {
            lose(.unexpected(excess))
            return false
        }
        if case .connecting = stage { return true }
        if intake.mayHaveKeptWhatFailed() {
            lose(.unreachable(Self.renewed))
            return false
        }
        guard let notification = PQnotifies(connection) else { return true }
        PQfreemem(notification)
        lose(.unexpected("it sends unrequested notifications"))
        return false
    }

    /// Bytes that the server may send now.
    private var bytesMax: Int { Intake.bytesMax(rows: rowsAwaited ?? 0) }

    private func poll() {
        source?.cancel()
        source = nil
        let state = reading { PQconnectPoll($0) }
        guard isBearable() else { return }
        switch state {
        case PGRES_POLLING_READING: watch(EPOLLIN.rawValue)
        case PGRES_POLLING_WRITING: watch(EPOLLOUT.rawValue)
        case PGRES_POLLING_OK:
            if intake.total == 0 { driver.actions.append(.log(.error, Self.unbounded)) }
            PQsetnonblocking(connection, 1)
            watch(EPOLLIN.rawValue)
            advance(
                ConnectionSetup(
                    backend, preparing: statements, configuration: configuration, advice, target,
                    sessionAnnounced: PQbackendPID(connection), hadTables: hadTables, learnt: learntTypes))
        default: lose()
        }
    }

    private static let renewed =
        "replacing the connection: libpq may have kept \(EdgeLimits.databaseDroppedBytesMax) bytes of failed answers"
    /// No PostgreSQL sends this.
    static let unasked = "it sent an unrequested answer"
    private static let unbounded = "libpq reads past likesd's recv(2): what PostgreSQL sends has no bound"

    // MARK: Setup

    private func advance(_ setup: ConnectionSetup) {
        stage = .settingUp(setup)
        endAnswer()
        guard let connection, reading({ _ in setup.send(on: connection) }) else { return lose() }
        flush()
    }

    /// Goes on with the setup once a second connection has said which session it has, or is not to be had.
    private func askAnother(_ setup: ConnectionSetup) {
        endAnswer()
        let probe = SessionProbe(url: servers.url, found?.settings ?? [], loop: loop) { [unowned self] session in
            guard case .comparing(var setup, _) = self.stage else { return }
            setup.heard(session)
            self.advance(setup)
        }
        stage = .comparing(setup, probe)
        probe.begin()
    }

    private func goOnWithSetup() {
        while case .settingUp(var setup) = stage, let connection, PQisBusy(connection) == 0 {
            if let raw = nextResult() {
                let result = StatementResult(raw)
                if result.status == PGRES_FATAL_ERROR && result.endsSession {
                    return lose(.unreachable(result.message))
                }
                // A COPY would return the same result again and again.
                guard result.isOrdinary else { return lose(.unexpected(Self.unasked)) }
                setup.take(result)
                stage = .settingUp(setup)
                continue
            }
            switch setup.next() {
            case .step: advance(setup)
            case .askAnother: return askAnother(setup)
            case .failed(let failure): lose(failure)
            case .done(let types, let facts):
                stage = .ready
                endAnswer()
                hadTables = true
                guard setupEnded(types, facts) else { return lose() }
                driver.deliver { core, turn in
                    core.databaseConnected(backend, facts, &turn)
                }
            }
        }
    }
}
