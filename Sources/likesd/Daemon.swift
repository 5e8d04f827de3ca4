import Glibc
import LikesCore
import LikesHost
import LikesProtocol
import LikesSettings
import LikesStorage

/// The daemon: runs the core's actions, and turns the loop that brings its events.
final class Daemon {
    private let source: ConfigurationSource
    private(set) var logger: Logger
    private let loop: EventLoop
    private let host: CoreHost
    let clients: ClientTable
    private let listener: Listener
    private let redis: RedisLink
    private let subscriber: SubscriberLink
    private let lane: LaneLink
    private let reader: ReaderLink
    private(set) var notifier: Notifier
    private var watchdog: Watchdog
    /// Whether the listening sockets are systemd's, which then also keeps clients over a restart.
    let isActivated: Bool
    private var running: [Action] = []
    private var isReloading = false
    private var isStopping = false
    /// Set once the core has nothing left to do: leave when the last replies have left, or at this moment.
    private var leaveBy: Instant?

    /// `configuration`: what `source` says now. `before`: of a process that crashed.
    init(
        source: ConfigurationSource, configuration: Configuration, after before: CrashRecord.Before?
    ) throws(DaemonError) {
        self.source = source
        logger = Logger(level: configuration.logLevel)
        loop = try EventLoop()
        let now = Instant.now
        var seed = SystemRandomNumberGenerator()
        host = CoreHost(
            core: Core(
                configuration: configuration, versions: .measured(), seed: seed.next(), now: now,
                unitMemoryBytes: UnitMemory.measured()), now: now)
        let inherited = try Inherited.taken()
        isActivated = !inherited.listening.isEmpty
        clients = try ClientTable(host: host, types: configuration.itemTypes, isActivated: isActivated, loop: loop)
        listener = try Listener(
            configuration: configuration, inherited: inherited.listening, host: host, clients: clients, loop: loop)
        let channels = RedisChannels(database: configuration.redis.database, host: seed.next())
        redis = RedisLink(host: host, loop: loop, configuration: configuration, channels: channels)
        subscriber = SubscriberLink(host: host, loop: loop, configuration: configuration, channels: channels)
        let servers = DatabaseServers(configuration: configuration, host: host, loop: loop)
        let reader = ReaderLink(host: host, loop: loop, configuration: configuration, servers: servers)
        self.reader = reader
        let lane = LaneLink(host: host, loop: loop, configuration: configuration, servers: servers) { reader.learn($0) }
        self.lane = lane
        servers.onMove = { [unowned lane, unowned reader] failure, server in
            lane.leave(failure, unlessAt: server)
            reader.leave(failure, unlessAt: server)
        }
        notifier = Notifier(now: now)
        watchdog = Watchdog.asked(now: now)
        raiseDescriptors(for: configuration)
        takeOver(inherited, after: before)
    }

    /// Serves until it is asked to stop.
    func run() throws(DaemonError) -> ExitStatus {
        for number in [SIGTERM, SIGINT] {
            try loop.watchSignal(number) { [unowned self] in self.stop() }
        }
        try loop.watchSignal(SIGHUP) { [unowned self] in
            self.host.deliver { core, turn in core.reloadAsked(&turn) }
        }
        // Taking over clients may have waited for systemd: what they sent has all of its time from here on.
        host.refreshNow()
        host.deliver { core, turn in core.start(&turn) }
        endTurn()
        logger.log(.notice, "likesd \(VersionFacts.likesd) is ready for clients")
        notifier.ready()
        while leaveBy.map({ host.now < $0 && clients.hasOutput(unless: keepsClients) }) ?? true {
            let isReady = try loop.wait(isBriefly: clients.hasBacklog || clients.isOverMemory)
            // Whatever is handled now happens now, not when the loop fell asleep.
            host.refreshNow()
            clients.turnBegan()
            if isReady { try loop.dispatch() }
            notifier.noteActivity()
            if clients.hasBacklog {
                // Nothing is parsed while replies wait among the actions.
                performActions()
                clients.serveBacklog()
            }
            endTurn()
        }
        handOver()
        redis.disconnect()
        subscriber.disconnect()
        lane.disconnect()
        reader.disconnect()
        return .success
    }

    private func stop() {
        guard !isStopping else {
            logger.log(.warning, "asked to stop a second time: leaving what is under way")
            listener.close()
            exit(ExitStatus.failure.rawValue)
        }
        isStopping = true
        notifier.stopping()
        listener.close()
        host.deliver { core, turn in core.stop(&turn) }
    }

    // MARK: Turns

    /// After a source was served: performs what the core wants, until it wants nothing more.
    private func endTurn() {
        expire()
        repeat {
            performActions()
            host.deliver { core, turn in core.turnEnded(&turn) }
            performActions()
            endReload()
            clients.flush()
            clients.boundMemory()
            // Either may find its connection lost, which the core then has something to say to.
            redis.flush()
            subscriber.flush()
        } while clients.parseResumed() || !host.actions.isEmpty
        clients.giveMemoryBack()
        notifier.update(now: host.now) { now in host.ask { $0.statusLine(now: now) } }
        if watchdog.turnEnded(now: host.now, { progress }) { notifier.alive() }
        loop.wake(at: nextWake, now: host.now)
    }

    private func expire() {
        if let tick = host.ask({ $0.nextTick }), tick <= host.now {
            host.deliver { core, turn in core.tick(&turn) }
        }
        clients.expire(now: host.now)
        listener.expire(now: host.now)
    }

    private var nextWake: Instant? {
        var next = host.ask { $0.nextTick }
        next = Instant.earlier(next, clients.nextDeadline)
        next = Instant.earlier(next, listener.pausedUntil)
        next = Instant.earlier(next, notifier.statusDueAt)
        next = Instant.earlier(next, watchdog.dueAt)
        return Instant.earlier(next, leaveBy)
    }

    private var progress: Progress {
        Progress(
            overdueMs: host.ask { $0.nextTick }.map { Instant.now.ms(since: $0) } ?? 0,
            isClientWaiting: clients.isWaitedFor || listener.isWaitedFor,
            servedTotal: clients.servedTotal + listener.acceptedTotal)
    }

    // MARK: Actions

    private func performActions() {
        while !host.actions.isEmpty {
            swap(&running, &host.actions)
            for action in running { perform(action) }
            running.removeAll(keepingCapacity: true)
        }
    }

    private func perform(_ action: Action) {
        switch action {
        case .reply(let id, let reply): clients.reply(reply, to: id)
        case .close(let id): clients.close(id)
        case .resume(let id): clients.resume(id)
        case .redis(let call, let request): redis.perform(call, request)
        case .lane(let call, let request): lane.perform(call, request)
        case .reader(let call, let request): reader.perform(call, request)
        case .beat(let number): redis.beat(number)
        case .connect(let backend): connect(backend)
        case .disconnect(let backend): disconnect(backend)
        case .reload(let ticket): reload(for: ticket)
        case .configure(let configuration):
            logger = Logger(level: configuration.logLevel)
            redis.configure(configuration)
            raiseDescriptors(for: configuration)
        case .log(let level, let text): logger.log(level, text)
        case .stopped: leaveBy = host.now.adding(ms: EdgeLimits.stopFlushMs)
        }
    }

    // MARK: Settings

    private func reload(for ticket: Ticket?) {
        isReloading = true
        notifier.reloading(now: host.now)
        let read = Result { () throws(ConfigurationError) in try source.reload() }
        host.deliver { core, turn in core.reloaded(read, for: ticket, &turn) }
    }

    /// Before the reply leaves: who gets it finds the unit reloaded.
    private func endReload() {
        guard isReloading else { return }
        isReloading = false
        notifier.ready()
    }

    private func raiseDescriptors(for configuration: Configuration) {
        if let advice = Descriptors.raise(forClients: configuration.connectionsMax) { logger.log(.warning, advice) }
    }

    // MARK: Backends

    private func connect(_ backend: Backend) {
        switch backend {
        case .redis: redis.connect()
        case .subscriber: subscriber.connect()
        case .lane: lane.connect()
        case .reader: reader.connect()
        }
    }

    private func disconnect(_ backend: Backend) {
        switch backend {
        case .redis: redis.disconnect()
        case .subscriber: subscriber.disconnect()
        case .lane: lane.disconnect()
        case .reader: reader.disconnect()
        }
    }
}
