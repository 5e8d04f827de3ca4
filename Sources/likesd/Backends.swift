import LikesCore
import LikesSettings
import LikesStorage

/// The connections to Redis and PostgreSQL.
struct Backends {
    let redis: RedisLink
    let subscriber: SubscriberLink
    let lane: LaneLink
    let reader: ReaderLink
    let standbys: [StandbyLink]
    /// nil: REDIS_URL names the server itself.
    private let primary: RedisPrimary?

    /// `number`: of this process, drawn at random.
    init(configuration: Configuration, driver: CoreDriver, loop: EventLoop, number: UInt64) {
        let channels = RedisChannels(database: configuration.redis.database, host: number)
        let primary = RedisPrimary(configuration: configuration, driver: driver, loop: loop)
        let redis = RedisLink(
            driver: driver, loop: loop, configuration: configuration,
            target: RedisTarget(configuration, primary, for: .redis), channels: channels)
        let subscriber = SubscriberLink(
            driver: driver, loop: loop, configuration: configuration,
            target: RedisTarget(configuration, primary, for: .subscriber), channels: channels)
        primary?.onMove = { [unowned redis, unowned subscriber] failure, primary in
            redis.leave(failure, unlessAt: primary)
            subscriber.leave(failure, unlessAt: primary)
        }
        self.redis = redis
        self.subscriber = subscriber
        self.primary = primary
        let servers = DatabaseServers(configuration: configuration, driver: driver, loop: loop)
        let reader = ReaderLink(driver: driver, loop: loop, configuration: configuration, servers: servers)
        let standbys = configuration.databaseReplicaURLs.indices.map {
            StandbyLink($0, driver: driver, loop: loop, configuration: configuration)
        }
        let lane = LaneLink(driver: driver, loop: loop, configuration: configuration, servers: servers) { types in
            reader.learn(types)
            for standby in standbys { standby.learn(types) }
        }
        servers.onMove = { [unowned lane, unowned reader] failure, server in
            lane.leave(failure, unlessAt: server)
            reader.leave(failure, unlessAt: server)
        }
        self.lane = lane
        self.reader = reader
        self.standbys = standbys
    }

    func connect(_ backend: Backend) {
        switch backend {
        case .redis: redis.connect()
        case .subscriber: subscriber.connect()
        case .lane: lane.connect()
        case .reader: reader.connect()
        case .standby(let place): standbys[place].connect()
        }
    }

    func disconnect(_ backend: Backend) {
        switch backend {
        case .redis: redis.disconnect()
        case .subscriber: subscriber.disconnect()
        case .lane: lane.disconnect()
        case .reader: reader.disconnect()
        case .standby(let place): standbys[place].disconnect()
        }
    }

    func disconnectAll() {
        for backend in Backend.all(standbys: standbys.count) { disconnect(backend) }
        primary?.end()
    }

    /// Sends what gathered in a turn of the loop. Either connection may turn out to be lost; the core then reacts to
    /// that.
    func flush() {
        redis.flush()
        subscriber.flush()
        primary?.flush()
    }
}
