import Glibc
import LikesCore
import LikesProtocol

/// The daemon: runs the core's actions, and turns the loop that brings its events.
final class Daemon {
    private let logger: Logger
    private let loop: EventLoop
    private let host: CoreHost
    private let clients: ClientTable
    private let listener: Listener
    private let redis: RedisLink
    private let subscriber: SubscriberLink
    private let lane: LaneLink
    private let reader: ReaderLink
    private var notifier: Notifier
    private var running: [Action] = []
    private var isStopping = false
    /// Set once the core has nothing left to do: leave when the last replies have left, or at this moment.
    private var leaveBy: Instant?

    init(configuration: Configuration) throws(DaemonError) {
        logger = Logger(level: configuration.logLevel)
        loop = try EventLoop()
        let now = Instant.now
        var seed = SystemRandomNumberGenerator()
        host = CoreHost(
            core: Core(configuration: configuration, versions: .measured(), seed: seed.next(), now: now), now: now)
        clients = try ClientTable(host: host, types: configuration.itemTypes, loop: loop)
        listener = try Listener(configuration: configuration, host: host, clients: clients, loop: loop)
        let channels = RedisChannels(database: configuration.redis.database, host: seed.next())
        redis = RedisLink(host: host, loop: loop, configuration: configuration, channels: channels)
        subscriber = SubscriberLink(host: host, loop: loop, configuration: configuration, channels: channels)
        let reader = ReaderLink(host: host, loop: loop, configuration: configuration)
        self.reader = reader
        lane = LaneLink(host: host, loop: loop, configuration: configuration) { reader.learn($0) }
        notifier = Notifier(now: now)
        if let advice = Descriptors.raise(forClients: configuration.connectionsMax) { logger.log(.warning, advice) }
        try loop.enableWatchdog()
    }

    /// Serves until it is asked to stop.
    func run() throws(DaemonError) -> ExitStatus {
        for number in [SIGTERM, SIGINT] {
            try loop.watchSignal(number) { [unowned self] in self.stop() }
        }
        try loop.watchSignal(SIGHUP) { [unowned self] in
            self.logger.log(.notice, "settings are read at the start only: restart likesd to apply new ones")
        }
        host.deliver { core, now, actions in core.start(now: now, into: &actions) }
        endTurn()
        logger.log(.notice, "likesd \(VersionFacts.likesd) is ready for clients")
        notifier.ready()
        while leaveBy.map({ host.now < $0 && clients.hasOutput }) ?? true {
            let isReady = try loop.wait()
            // Whatever is handled now happens now, not when the loop fell asleep.
            host.refreshNow()
            if isReady { try loop.dispatch() }
            notifier.noteActivity()
            endTurn()
        }
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
        host.deliver { core, now, actions in core.stop(now: now, into: &actions) }
    }

    // MARK: Turns

    /// After a source was served: performs what the core wants, until it wants nothing more.
    private func endTurn() {
        expire()
        repeat {
            performActions()
            host.deliver { core, now, actions in core.turnEnded(now: now, into: &actions) }
            performActions()
            clients.flush()
            // Either may find its connection lost, which the core then has something to say to.
            redis.flush()
            subscriber.flush()
        } while clients.parseResumed() || !host.actions.isEmpty
        notifier.update(now: host.now) { now in host.ask { $0.statusLine(now: now) } }
        loop.wake(at: nextWake, now: host.now)
    }

    private func expire() {
        if let tick = host.ask({ $0.nextTick }), tick <= host.now {
            host.deliver { core, now, actions in core.tick(now: now, into: &actions) }
        }
        clients.expire(now: host.now)
        listener.expire(now: host.now)
    }

    private var nextWake: Instant? {
        var next = host.ask { $0.nextTick }
        next = earlier(next, clients.nextDeadline)
        next = earlier(next, listener.pausedUntil)
        next = earlier(next, notifier.statusDueAt)
        return earlier(next, leaveBy)
    }

    private func earlier(_ one: Instant?, _ other: Instant?) -> Instant? {
        guard let one, let other else { return one ?? other }
        return min(one, other)
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
        case .verify(let call, let database, let token): redis.verify(call, database: database, token: token)
        case .admit(let call, let entries): redis.perform(call, [.admit(call, entries)])
        case .readCounters(let call, let generation, let items):
            redis.perform(call, [.readCounters(call, generation, items)])
        case .writeThrough(let call, let generation, let counters, let recent):
            redis.perform(
                call, [.setCounters(call, generation, counters, isTold: true), .keepRecent(call, recent)])
        case .fill(let call, let generation, let counters):
            redis.perform(call, [.setCounters(call, generation, counters, isTold: false)])
        case .beat(let number): redis.beat(number)
        case .fence(let call, let number, let rows): lane.fence(call, lane: number, rows: rows)
        case .commit(let call, let request): lane.commit(call, request)
        case .tend(let call, let request): lane.perform(.tend(call, request))
        case .retireLanes(let call): lane.perform(.retire(call))
        case .selectCounters(let call, let items): reader.perform(.counters(call, items))
        case .selectPairs(let call, let pairs): reader.perform(.pairs(call, pairs))
        case .selectRepairs(let call, let cursor): reader.perform(.repairs(call, after: cursor))
        case .connect(let backend): connect(backend)
        case .disconnect(let backend): disconnect(backend)
        case .log(let level, let text): logger.log(level, text)
        case .stopped: leaveBy = host.now.adding(ms: EdgeLimits.stopFlushMs)
        }
    }

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
