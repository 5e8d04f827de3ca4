import Glibc
import LikesCore
import LikesHost
import LikesProtocol
import LikesSettings

/// The daemon: runs the core's actions, and turns the loop that brings its events.
final class Daemon {
    private let source: ConfigurationSource
    private(set) var logger: Logger
    private let loop: EventLoop
    private let driver: CoreDriver
    let clients: ClientTable
    private let listener: Listener
    private let backends: Backends
    private(set) var supervision: Supervision
    /// Whether the listening sockets are systemd's, which then also keeps clients over a restart.
    let isActivated: Bool
    private var running: [Action] = []
    private var course = Course.serving

    private enum Course {
        case serving
        /// It was asked to stop, and the core still has something to do.
        case stopping
        /// The core has nothing left to do. Leave when the last replies have left, or at this moment at the latest.
        case leaving(by: Instant)
    }

    /// `configuration`: what `source` says now. `before`: of a process that crashed.
    init(
        source: ConfigurationSource, configuration: Configuration, after before: CrashRecord.Before?
    ) throws(DaemonError) {
        self.source = source
        logger = Logger(level: configuration.logLevel)
        loop = try EventLoop()
        let now = Instant.now
        var seed = SystemRandomNumberGenerator()
        driver = CoreDriver(
            core: Core(
                configuration: configuration, versions: .measured(), seed: seed.next(), now: now,
                unitMemoryBytes: UnitMemory.measured()), now: now)
        let inherited = try Inherited.taken()
        isActivated = !inherited.listening.isEmpty
        clients = try ClientTable(driver: driver, types: configuration.itemTypes, isActivated: isActivated, loop: loop)
        listener = try Listener(
            configuration: configuration, inherited: inherited.listening, driver: driver, clients: clients, loop: loop)
        backends = Backends(configuration: configuration, driver: driver, loop: loop, number: seed.next())
        supervision = Supervision(now: now)
        raiseDescriptors(for: configuration)
        takeOver(inherited, after: before)
    }

    /// Serves until it is asked to stop.
    func run() throws(DaemonError) -> ExitStatus {
        for number in [SIGTERM, SIGINT] {
            try loop.watchSignal(number) { [unowned self] in self.stop() }
        }
        try loop.watchSignal(SIGHUP) { [unowned self] in
            self.driver.deliver { core, turn in core.reloadAsked(&turn) }
        }
        // Taking over clients may have waited for systemd. The deadlines of what they sent begin here.
        driver.refreshNow()
        driver.deliver { core, turn in core.start(&turn) }
        endTurn()
        logger.log(.notice, "likesd \(VersionFacts.likesd) is ready for clients")
        supervision.ready()
        while !isOver {
            let isReady = try loop.wait(isBriefly: clients.hasBacklog || clients.isOverMemory)
            // Whatever is handled now happens now, not when the loop fell asleep.
            driver.refreshNow()
            clients.turnBegan()
            if isReady { try loop.dispatch() }
            supervision.noteActivity()
            if clients.hasBacklog {
                // Nothing is parsed while replies wait among the actions.
                performActions()
                clients.serveBacklog()
            }
            endTurn()
        }
        handOver()
        backends.disconnectAll()
        return .success
    }

    private var isOver: Bool {
        guard case .leaving(let moment) = course else { return false }
        return driver.now >= moment || !clients.hasOutput(unless: keepsClients)
    }

    private func stop() {
        guard case .serving = course else {
            logger.log(.warning, "asked to stop a second time: leaving what is under way")
            listener.close()
            exit(ExitStatus.failure.rawValue)
        }
        course = .stopping
        supervision.stopping()
        listener.close()
        driver.deliver { core, turn in core.stop(&turn) }
    }

    // MARK: Turns

    /// After a source was served: performs what the core wants, until it wants nothing more.
    private func endTurn() {
        expire()
        repeat {
            performActions()
            driver.deliver { core, turn in core.turnEnded(&turn) }
            performActions()
            // Before the reply leaves: who gets it finds the unit reloaded.
            supervision.reloadEnded()
            clients.flush()
            clients.boundMemory()
            backends.flush()
        } while clients.parseResumed() || !driver.actions.isEmpty
        clients.giveMemoryBack()
        supervision.turnEnded(
            now: driver.now, line: { now in driver.ask { $0.statusLine(now: now) } }, progress: { progress })
        loop.wake(at: nextWake, now: driver.now)
    }

    private func expire() {
        if let tick = driver.ask({ $0.nextTick }), tick <= driver.now {
            driver.deliver { core, turn in core.tick(&turn) }
        }
        clients.expire(now: driver.now)
        listener.expire(now: driver.now)
    }

    private var nextWake: Instant? {
        var next = driver.ask { $0.nextTick }
        next = Instant.earlier(next, clients.nextDeadline)
        next = Instant.earlier(next, listener.pausedUntil)
        next = Instant.earlier(next, supervision.dueAt)
        if case .leaving(let moment) = course { next = Instant.earlier(next, moment) }
        return next
    }

    private var progress: Progress {
        Progress(
            overdueMs: driver.ask { $0.nextTick }.map { Instant.now.ms(since: $0) } ?? 0,
            isClientWaiting: clients.isWaitedFor || listener.isWaitedFor,
            servedTotal: clients.servedTotal + listener.acceptedTotal)
    }

    // MARK: Actions

    private func performActions() {
        while !driver.actions.isEmpty {
            swap(&running, &driver.actions)
            for action in running { perform(action) }
            running.removeAll(keepingCapacity: true)
        }
    }

    private func perform(_ action: Action) {
        switch action {
        case .reply(let id, let reply): clients.reply(reply, to: id)
        case .close(let id): clients.close(id)
        case .resume(let id): clients.resume(id)
        case .redis(let node, let call, let request): backends.redis[node].calls.perform(call, request)
        case .lane(let call, let request): backends.lane.perform(call, request)
        case .reader(let call, let request): backends.reader.perform(call, request)
        case .standby(let place, let call, let request): backends.standbys[place].perform(call, request)
        case .markerKey(let node, let key): backends.redis[node].calls.setMarker(key)
        case .askCluster: backends.redis.askCluster()
        case .beat(let node, let number): backends.redis[node].calls.beat(number)
        case .connect(let backend): backends.connect(backend)
        case .disconnect(let backend): backends.disconnect(backend)
        case .reload(let ticket): reload(for: ticket)
        case .configure(let configuration):
            logger = Logger(level: configuration.logLevel)
            backends.redis.configure(configuration)
            raiseDescriptors(for: configuration)
        case .log(let level, let text): logger.log(level, text)
        case .stopped: course = .leaving(by: driver.now.adding(ms: EdgeLimits.stopFlushMs))
        }
    }

    // MARK: Settings

    private func reload(for ticket: Ticket?) {
        supervision.reloadBegan(now: driver.now)
        let read = Result { () throws(ConfigurationError) in try source.reload() }
        driver.deliver { core, turn in core.reloaded(read, for: ticket, &turn) }
    }

    private func raiseDescriptors(for configuration: Configuration) {
        if let advice = Descriptors.raise(forClients: configuration.connectionsMax) { logger.log(.warning, advice) }
    }
}
