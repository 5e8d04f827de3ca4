import LikesSettings
import LikesStorage

/// One look at several servers, side by side: asks each of them who it is, for as long as somebody can gain from it.
///
/// A server that does not answer keeps nobody waiting: see `hasWaited` and `isOver`. A server that refuses connections
/// is asked again while others are waited for, since it may be coming back.
final class ServerLook {
    enum State {
        case queued
        case asking(Probe<ServerFacts>)
        case answered(ServerFacts)
        case failed(ProbeFailure)
    }

    let servers: [DatabaseServer]
    private(set) var states: [State]
    private let configuration: Configuration
    private let loop: EventLoop
    private let onNews: (ServerLook) -> Void
    private let onUnexpected: (String) -> Void
    private var steps: Int64 = 0
    private var timer: OneTimer?

    /// `onNews`: there is another answer, or time has passed. `onUnexpected`: a server sent something invalid,
    /// described in words.
    init(
        _ servers: [DatabaseServer], configuration: Configuration, loop: EventLoop,
        onNews: @escaping (ServerLook) -> Void, onUnexpected: @escaping (String) -> Void = { _ in }
    ) {
        self.servers = servers
        states = servers.map { _ in .queued }
        self.configuration = configuration
        self.loop = loop
        self.onNews = onNews
        self.onUnexpected = onUnexpected
    }

    /// The answers so far.
    var seen: [ServerView.Seen] {
        zip(servers, states).compactMap { server, state in
            guard case .answered(let facts) = state else { return nil }
            return ServerView.Seen(server: server, facts: facts)
        }
    }

    /// Servers that refuse likesd until somebody corrects something.
    var refusals: [(DatabaseServer, ProbeFailure)] {
        zip(servers, states).compactMap { server, state in
            guard case .failed(let failure) = state, failure.refusal.reason.isLasting else { return nil }
            return (server, failure)
        }
    }

    /// Servers that have not answered had enough time, if a usable one has.
    var hasWaited: Bool { isOver || steps * EdgeLimits.serverStepMs >= EdgeLimits.serverAnswerMsMax }

    /// All have answered or failed, or time is up.
    var isOver: Bool {
        steps * EdgeLimits.serverStepMs >= EdgeLimits.serverLookMsMax
            || states.allSatisfy { state in
                switch state {
                case .queued, .asking: false
                case .answered, .failed: true
                }
            }
    }

    func begin() throws(DaemonError) {
        try wait()
        askQueued()
        onNews(self)
    }

    func cancel() {
        timer?.cancel()
        timer = nil
        for state in states { if case .asking(let probe) = state { probe.cancel() } }
        states = []
    }

    private func wait() throws(DaemonError) {
        timer = try loop.timer(afterMs: EdgeLimits.serverStepMs) { [unowned self] in self.step() }
    }

    private func step() {
        steps += 1
        for place in states.indices {
            guard case .failed(let failure) = states[place], !failure.refusal.reason.isLasting else { continue }
            states[place] = .queued
        }
        askQueued()
        // Without a timer the look would never end.
        do { try wait() } catch { steps = EdgeLimits.serverLookMsMax }
        onNews(self)
    }

    private func askQueued() {
        var asking = 0
        for state in states { if case .asking = state { asking += 1 } }
        for place in states.indices {
            guard case .queued = states[place], asking < EdgeLimits.serversAskedMax else { continue }
            let probe = Probe(
                url: configuration.databaseURL, question: ServerFacts.question, loop: loop,
                read: { $0.serverFacts }, onEnd: { [unowned self] in self.end(place, $0) })
            let overrides = DatabaseHosts.settings([servers[place]]) + [("target_session_attrs", "any")]
            if let failure = probe.start(overrides) {
                states[place] = .failed(failure)
            } else {
                states[place] = .asking(probe)
                asking += 1
            }
        }
    }

    private func end(_ place: Int, _ result: Result<ServerFacts, ProbeFailure>) {
        switch result {
        case .success(let facts): states[place] = .answered(facts)
        case .failure(let failure):
            states[place] = .failed(failure)
            if failure.isUnexpected { onUnexpected("\(servers[place].name): \(failure.refusal.text)") }
        }
        askQueued()
        onNews(self)
    }
}

extension ConnectRefusal.Reason {
    /// Something must be corrected before the server answers.
    fileprivate var isLasting: Bool {
        switch self {
        case .noServer, .serverStarting, .tooManyConnections, .unclear: false
        case .noRole, .roleMayNotLogIn, .wrongPassword, .noPassword, .otherIdentity, .notLetIn, .noDatabase,
            .noPermission:
            true
        }
    }
}

extension StatementResult {
    /// The answer to `ServerFacts.question`.
    fileprivate var serverFacts: ServerFacts? {
        guard rowCount == 1, let row = try? texts(0) else { return nil }
        return ServerFacts(row)
    }
}
