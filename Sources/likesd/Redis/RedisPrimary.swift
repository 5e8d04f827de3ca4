import LikesCore
import LikesHost
import LikesSettings
import LikesStorage

/// Finds the Redis server that the Sentinels name, and follows it when they name another.
///
/// Each Sentinel is asked all the time (`SentinelWatch`), not only before a connection is made: a server that was
/// replaced goes on answering if it is cut off from the Sentinels. `PrimaryChoice` decides.
final class RedisPrimary {
    enum Found {
        case server(NamedPrimary)
        case failed(BackendFailure)
    }

    private let configuration: Configuration
    private let driver: CoreDriver
    private let loop: EventLoop
    private let sentinels: RedisSentinels
    private var watches: [SentinelWatch] = []
    private var choice: PrimaryChoice
    private var waiting: [Backend: (Found) -> Void] = [:]
    /// Goes off when Sentinels that never answered are no longer waited for.
    private var patience = Patience.none
    private var report: SentinelReport?
    /// What the core was last told that connections would find.
    private var toldOf: NamedPrimary?
    /// Connections must leave their server, for this reason, unless it is the one given.
    var onMove: ((BackendFailure, NamedPrimary) -> Void)?

    private enum Patience {
        case none
        case waiting(OneTimer)
        case over
    }

    /// nil: REDIS_URL names no Sentinels.
    init?(configuration: Configuration, driver: CoreDriver, loop: EventLoop) {
        guard case .sentinels(let sentinels) = configuration.redis.topology else { return nil }
        self.configuration = configuration
        self.driver = driver
        self.loop = loop
        self.sentinels = sentinels
        choice = PrimaryChoice(sentinels: sentinels.addresses.count)
    }

    // MARK: For connections

    /// Calls `found` once, immediately or later. `forget` cancels it.
    func find(for backend: Backend, _ found: @escaping (Found) -> Void) {
        waiting[backend] = found
        if case .none = patience { begin() }
        tell()
    }

    func forget(_ backend: Backend) { waiting[backend] = nil }

    /// Something about the server's connections suggests that another was promoted.
    func askSoon() { for watch in watches { watch.askSoon() } }

    func flush() { for watch in watches { watch.flush() } }

    /// Closes all connections to Sentinels.
    func end() { for watch in watches { watch.end() } }

    // MARK: What the Sentinels say

    private func begin() {
        do {
            patience = .waiting(
                try loop.timer(afterMs: EdgeLimits.sentinelWaitMsMax) { [unowned self] in
                    self.patience = .over
                    self.news()
                })
        } catch {
            patience = .over
            driver.actions.append(.log(.error, "not waiting for Redis' Sentinels: \(error.message)"))
        }
        for (place, address) in sentinels.addresses.enumerated() {
            let watch = SentinelWatch(address, sentinels, configuration: configuration, loop: loop) {
                [unowned self] in self.news(from: place)
            }
            watch.onUnexpected = { [unowned self] in
                self.driver.deliver { core, turn in core.sentinelMisspoke(&turn) }
            }
            watches.append(watch)
        }
        for watch in watches { watch.begin() }
    }

    private func news(from place: Int) {
        switch watches[place].state {
        case .unknown: return
        case .named(let primary): choice.heard(primary, from: place)
        case .failed: choice.lost(place)
        }
        news()
    }

    private func news() {
        if case .primary(let primary) = choice.choice, isSettled {
            let text = "the Sentinels name \(primary.address.name) the primary, at epoch \(primary.epoch)"
            onMove?(.unreachable(text), primary)
            if toldOf != primary { driver.deliver { core, turn in core.primaryNamed(&turn) } }
            toldOf = primary
        } else {
            toldOf = nil
        }
        tell()
        note()
    }

    /// Whether the choice can be made: each Sentinel has answered or failed, or was waited for.
    private var isSettled: Bool {
        if case .over = patience { return true }
        return !watches.contains { $0.state == .unknown }
    }

    private func tell() {
        guard !waiting.isEmpty, isSettled else { return }
        let found: Found
        switch choice.choice {
        case .primary(let primary):
            choice.use(primary)
            found = .server(primary)
        case .missing: found = .failed(missing)
        case .deposed(let named, let newest):
            found = .failed(.unreachable(PrimaryChoice.reason(named, newest: newest), next: advice.deposed))
        }
        let told = waiting
        waiting = [:]
        for handler in told.values { handler(found) }
        note()
    }

    // MARK: Words

    private var advice: Advice { Advice(configuration, on: .measured()) }

    /// No Sentinel names a primary.
    private var missing: BackendFailure {
        let failures = watches.map(\.failure)
        let reasons = failures.map { $0?.reason ?? "no answer yet" }
        // A Sentinel that answers needs attention first.
        let first = zip(watches, failures).first { $0.0.isAnswering } ?? zip(watches, failures).first { $0.1 != nil }
        return .unreachable("no Sentinel names a primary: \(reasons.joined(separator: "; "))", next: first?.1?.next)
    }

    /// Tells the core how things stand, if that is news.
    private func note() {
        var troubles: [ServerAdvice] = []
        switch choice.choice {
        case .primary:
            for failure in watches.compactMap(\.failure) {
                let next = failure.next ?? "check it"
                troubles.append(ServerAdvice(reason: "Sentinel \(failure.reason)", next: next))
            }
            if let reason = choice.contradiction {
                troubles.append(ServerAdvice(reason: reason, next: advice.contradiction(sentinels)))
            }
        case .missing: if isSettled { troubles.append(ServerAdvice(missing)) }
        case .deposed(let named, let newest):
            troubles.append(
                ServerAdvice(reason: PrimaryChoice.reason(named, newest: newest), next: advice.deposed))
        }
        let states = zip(sentinels.addresses, watches).map { address, watch in
            SentinelReport.State(sentinel: address.name, names: watch.state.primary)
        }
        let report = SentinelReport(used: choice.used, sentinels: states, troubles: troubles)
        guard report != self.report else { return }
        self.report = report
        driver.deliver { core, turn in core.sentinelsReported(report, &turn) }
    }
}

extension ServerAdvice {
    fileprivate init(_ failure: BackendFailure) {
        self.init(reason: failure.reason, next: failure.next ?? "check it")
    }
}
