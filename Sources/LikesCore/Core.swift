import LikesProtocol

/// All of likesd's decisions: events in, actions out. No clock, no socket, no C.
package struct Core {
    package let configuration: Configuration
    /// When `tick` is next wanted; nil: not before something else happens.
    package private(set) var nextTick: Instant?

    /// `seed` feeds the jitter of reconnections; `now` is the start.
    package init(configuration: Configuration, versions: VersionFacts, seed: UInt64, now: Instant) {
        self.configuration = configuration
    }

    // MARK: Life

    /// Opens the backends' connections.
    package mutating func start(now: Instant, into actions: inout [Action]) {}
    /// The end of one turn of the event loop: sends what gathered.
    package mutating func turnEnded(now: Instant, into actions: inout [Action]) {}
    /// Time has come to `nextTick`, or past it.
    package mutating func tick(now: Instant, into actions: inout [Action]) {}
    /// Answer what was accepted, take nothing more, then `.stopped`.
    package mutating func stop(now: Instant, into actions: inout [Action]) {}

    // MARK: Clients

    /// nil: the table is full; tell the client `refusal` and close.
    package mutating func opened(now: Instant) -> ConnectionID? { nil }
    package static let refusal = ErrorReply(.busy, "too many connections: raise MAX_CONNECTIONS or use fewer clients")
    /// Whether the next request of this connection may be given to `received`; `.resume` follows when not.
    package func accepts(_ connection: ConnectionID) -> Bool { true }
    package mutating func received(
        _ request: Request, on connection: ConnectionID, now: Instant, into actions: inout [Action]
    ) {}
    /// The framing broke: the error is the connection's last reply, in its turn; `.close` follows.
    package mutating func broken(
        _ error: ErrorReply, on connection: ConnectionID, now: Instant, into actions: inout [Action]
    ) {}
    /// The client is gone. Its changes under way go on; nothing more is replied.
    package mutating func closed(_ connection: ConnectionID, now: Instant, into actions: inout [Action]) {}

    // MARK: Backends

    package mutating func connected(_ backend: Backend, now: Instant, into actions: inout [Action]) {}
    /// The connection could not be made or went away. Its calls under way are gone with it.
    package mutating func lost(
        _ backend: Backend, _ failure: BackendFailure, now: Instant, into actions: inout [Action]
    ) {}

    // MARK: Redis

    /// A verdict for each entry, in order.
    package mutating func admitted(
        _ call: CallID, _ verdicts: [AdmissionVerdict], now: Instant, into actions: inout [Action]
    ) {}
    /// For each item, in order, its counter or nil on a miss.
    package mutating func countersRead(
        _ call: CallID, _ counters: [CounterState?], now: Instant, into actions: inout [Action]
    ) {}
    package mutating func wroteThrough(_ call: CallID, now: Instant, into actions: inout [Action]) {}
    /// Redis answered the call with an error (-OOM, -LOADING, -READONLY …).
    package mutating func redisCallFailed(
        _ call: CallID, _ message: String, now: Instant, into actions: inout [Action]
    ) {}

    // MARK: PostgreSQL

    package mutating func committed(
        _ call: CallID, _ outcome: BatchOutcome, now: Instant, into actions: inout [Action]
    ) {}
    /// For each item, in order; an item without a row has count 0 and version 0.
    package mutating func countersSelected(
        _ call: CallID, _ counters: [CounterState], now: Instant, into actions: inout [Action]
    ) {}
    /// For each pair, in order.
    package mutating func pairsSelected(
        _ call: CallID, _ states: [PairState], now: Instant, into actions: inout [Action]
    ) {}
    /// PostgreSQL answered the call with an error: proven to have changed nothing.
    package mutating func statementFailed(
        _ call: CallID, _ failure: StatementFailure, now: Instant, into actions: inout [Action]
    ) {}

    // MARK: For the edge

    /// One line for systemd's STATUS=.
    package func statusLine(now: Instant) -> String { "" }
    /// Measured by the daemon before it hands over INFO or METRICS.
    package mutating func observe(_ process: ProcessFacts) {}
}

/// What does not change while the daemon runs.
package struct VersionFacts: Equatable, Sendable {
    /// likesd's own version.
    package static let likesd = "0.1.0"
    package var processID: Int32
    package var swift: String
    package var libpq: String
    package var hiredis: String
    package var systemd: String
    package init(processID: Int32, swift: String, libpq: String, hiredis: String, systemd: String) {
        self.processID = processID
        self.swift = swift
        self.libpq = libpq
        self.hiredis = hiredis
        self.systemd = systemd
    }
}

/// What only the operating system knows of the process.
package struct ProcessFacts: Equatable, Sendable {
    package var residentBytes: Int64
    package var userCPUMicroseconds: Int64
    package var systemCPUMicroseconds: Int64
    package init(residentBytes: Int64, userCPUMicroseconds: Int64, systemCPUMicroseconds: Int64) {
        self.residentBytes = residentBytes
        self.userCPUMicroseconds = userCPUMicroseconds
        self.systemCPUMicroseconds = systemCPUMicroseconds
    }
}
