import LikesCore
import LikesHost
import LikesSettings
import LikesStorage

/// Finds the server for each connection if DATABASE_URL names several, or a name has several addresses.
///
/// Before the lane or the reader connects, each server is asked who it is (`ServerLook`). While the lane is connected,
/// the others are asked from time to time, so that a promotion is noticed although the old primary still answers. If
/// there is only one server, nobody is asked.
final class DatabaseServers: ServerFinder {
    private let configuration: Configuration
    private let driver: CoreDriver
    private let loop: EventLoop
    private let hosts: DatabaseHosts
    private let lookup: NameLookup
    private var waiting: [Backend: (FoundServer) -> Void] = [:]
    private var search = Search.none
    private var unresolved: [String] = []
    private var lane = LaneServer()
    private var watchTimer: OneTimer?
    private var advices: [ServerAdvice] = []
    /// Connections must leave their server, for this reason, unless it is the one given.
    var onMove: ((BackendFailure, ServerView.Seen?) -> Void)?

    /// For those that wait, or to see what became of the others.
    private enum Search {
        case none
        /// Names are looked up.
        case resolving
        /// The servers are asked.
        case asking(ServerLook)
    }

    private struct LaneServer {
        /// Where the lane is; nil: not connected, or there is no choice.
        private(set) var now: ServerView.Seen?
        /// Where it was last.
        private(set) var last: ServerView.Seen?

        mutating func connected(to seen: ServerView.Seen) {
            now = seen
            last = seen
        }

        mutating func disconnected() { now = nil }
    }

    init(configuration: Configuration, driver: CoreDriver, loop: EventLoop) {
        self.configuration = configuration
        self.driver = driver
        self.loop = loop
        hosts = DatabaseHosts(of: configuration.databaseURL)
        lookup = NameLookup(hosts.names, loop: loop)
    }

    var url: String { configuration.databaseURL }
    var setting: Setting { .databaseURL }

    // MARK: For connections

    func find(for backend: Backend, _ found: @escaping (FoundServer) -> Void) {
        let isJoining = !waiting.isEmpty
        waiting[backend] = found
        guard !isJoining else { return }
        // A look at the others does not include the lane's server.
        stopLooking()
        resolve()
    }

    func forget(_ backend: Backend) {
        waiting[backend] = nil
        if waiting.isEmpty { stopLooking() }
        if backend == .lane { lane.disconnected() }
        if lane.now == nil { endWatch() } else if look == nil { watchLater() }
    }

    /// The lane is connected to a server that was chosen.
    func laneConnected(to seen: ServerView.Seen) {
        lane.connected(to: seen)
        if look == nil { watchLater() }
    }

    // MARK: Looking

    private var look: ServerLook? { if case .asking(let look) = search { look } else { nil } }

    private func resolve() {
        search = .resolving
        do {
            try lookup.start { [unowned self] answer in self.begin(answer) }
        } catch {
            fail(.unreachable(error.message))
        }
    }

    private func begin(_ answer: NameLookup.Answer) {
        search = .none
        let servers = hosts.servers(answer)
        unresolved = DatabaseHosts.unresolved(answer)
        if servers.isEmpty, let failure = hosts.failure(answer, setting, configuration) { return fail(failure) }
        guard hosts.isChoice(servers) else {
            return tell { _ in .only(DatabaseHosts.settings(servers)) }
        }
        let asked = waiting.isEmpty ? servers.filter { $0 != lane.now?.server } : servers
        let look = ServerLook(
            asked, configuration: configuration, loop: loop,
            onNews: { [unowned self] in self.news(of: $0) },
            onUnexpected: { [unowned self] text in
                self.driver.deliver { core, turn in core.serverMisspoke(text, &turn) }
            })
        search = .asking(look)
        do { try look.begin() } catch { fail(.unreachable(error.message)) }
    }

    /// Nothing can be learned this time.
    private func fail(_ failure: BackendFailure) {
        if waiting.isEmpty {
            driver.actions.append(.log(.debug, "cannot look at PostgreSQL's servers: \(failure.text)"))
        }
        tell { _ in .failed(failure) }
    }

    private func tell(_ found: (Backend) -> FoundServer) {
        stopLooking()
        let told = waiting
        waiting = [:]
        if lane.now != nil { watchLater() }
        for (backend, handler) in told.sorted(by: { $0.key == .lane && $1.key != .lane }) { handler(found(backend)) }
    }

    private func stopLooking() {
        lookup.forget()
        look?.cancel()
        search = .none
    }

    private func news(of look: ServerLook) {
        guard look === self.look else { return }
        let fresh = ServerView(seen: look.seen, known: lane.last)
        leaveWherePassedOver(fresh)
        // A handler above may have ended it.
        guard look === self.look else { return }
        switch fresh.primary {
        case .server, .conflict: guard look.hasWaited else { return }
        case .missing: guard look.isOver else { return }
        }
        if waiting.isEmpty {
            guard look.isOver else { return }
            note(fresh, look)
            return tell { _ in .only([]) }
        }
        note(fresh, look)
        let missing = missing(look)
        tell { backend in
            switch backend == .lane ? fresh.primary : fresh.reader(allowsStandby: hosts.allowsStandby) {
            case .server(let seen): .chosen(seen)
            case .missing: .failed(missing)
            case .conflict(let conflict): .failed(failure(conflict))
            }
        }
    }

    /// While the lane is connected, the servers' answers may concern it before all of them have arrived.
    private func leaveWherePassedOver(_ fresh: ServerView) {
        guard let view = withLane(fresh), let lane = lane.now else { return }
        switch view.primary {
        case .missing: return
        case .server(let seen):
            guard !seen.facts.isSameServer(as: lane.facts) else { return }
            let text = "\(seen.server.name) was promoted to timeline \(seen.facts.timeline)"
            onMove?(.unreachable(text), seen)
        case .conflict(let conflict): onMove?(failure(conflict), nil)
        }
    }

    /// What is seen, plus the lane's server, which answers to the lane.
    private func withLane(_ view: ServerView) -> ServerView? {
        guard let lane = lane.now else { return nil }
        var view = view
        if !view.seen.contains(where: { $0.server == lane.server }) { view.seen.append(lane) }
        return view
    }

    // MARK: While the lane is connected

    private func watchLater() {
        guard watchTimer == nil else { return }
        // Spreads out hosts that started together.
        let delayMs = EdgeLimits.serverWatchMs + .random(in: 0...EdgeLimits.serverWatchMs / 4)
        do {
            watchTimer = try loop.timer(afterMs: delayMs) { [unowned self] in self.watch() }
        } catch {
            driver.actions.append(.log(.error, "not watching PostgreSQL's servers: \(error.message)"))
        }
    }

    private func endWatch() {
        watchTimer?.cancel()
        watchTimer = nil
        if waiting.isEmpty { stopLooking() }
    }

    private func watch() {
        endWatch()
        guard lane.now != nil, waiting.isEmpty, case .none = search else { return }
        resolve()
    }

    // MARK: Words

    /// Tells the core about servers that need attention, if that is news.
    private func note(_ view: ServerView, _ look: ServerLook) {
        let view = withLane(view) ?? view
        var advices: [ServerAdvice] = []
        if case .server(let chosen) = view.primary {
            advices = view.passedOver(for: chosen).map { ServerAdvice(reason: $0.reason, next: $0.next(settingText)) }
            advices += look.refusals.map { server, failure in
                let next = advice.connecting(failure.refusal.reason, failure.target)
                let reason = "\(server.name) refuses to say who it is: \(failure.refusal.text)"
                return ServerAdvice(reason: reason, next: next ?? "check it")
            }
        }
        guard advices != self.advices else { return }
        self.advices = advices
        driver.deliver { core, turn in core.serversPassedOver(advices, &turn) }
    }

    private var settingText: String { configuration.places.text(of: setting) }

    private func failure(_ conflict: ServerConflict) -> BackendFailure {
        .unreachable(conflict.reason, next: conflict.next(settingText))
    }

    /// Why none of the servers can be used.
    private func missing(_ look: ServerLook) -> BackendFailure {
        var parts: [String] = []
        var refused: [ProbeFailure] = []
        var hasStandby = false
        for (server, state) in zip(look.servers, look.states) {
            switch state {
            case .queued, .asking: parts.append("\(server.name) does not answer")
            case .answered:
                hasStandby = true
                parts.append("\(server.name) is a standby")
            case .failed(let failure):
                refused.append(failure)
                parts.append(failure.refusal.text)
            }
        }
        let text = (parts + unresolved).joined(separator: "; ")
        // A server that answered needs attention first.
        let first = refused.first { $0.refusal.reason != .noServer }
        if first == nil, hasStandby { return .readOnly(text, next: advice.primary) }
        guard let told = first ?? refused.first else {
            return .unreachable(text, next: configuration.unanswered(.lane))
        }
        let next = advice.connecting(told.refusal.reason, told.target, hadTables: lane.last != nil)
        return .unreachable(text, next: next)
    }

    private var advice: Advice { Advice(configuration, on: .measured()) }
}
