import LikesCore
import LikesSettings
import LikesStorage

/// The connections to Redis and PostgreSQL.
struct Backends {
    let redis: RedisNodes
    let lane: LaneLink
    let reader: ReaderLink
    let standbys: [StandbyLink]

    /// `number`: of this process, drawn at random.
    init(configuration: Configuration, driver: CoreDriver, loop: EventLoop, number: UInt64) {
        redis = RedisNodes(configuration: configuration, driver: driver, loop: loop, number: number)
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
        case .redis(let node): redis[node].calls.connect()
        case .subscriber(let node): redis[node].messages.connect()
        case .lane: lane.connect()
        case .reader: reader.connect()
        case .standby(let place): standbys[place].connect()
        }
    }

    func disconnect(_ backend: Backend) {
        switch backend {
        case .redis(let node): redis[node].calls.disconnect()
        case .subscriber(let node): redis[node].messages.disconnect()
        case .lane: lane.disconnect()
        case .reader: reader.disconnect()
        case .standby(let place): standbys[place].disconnect()
        }
    }

    func disconnectAll() {
        redis.end()
        lane.disconnect()
        reader.disconnect()
        for standby in standbys { standby.disconnect() }
    }

    /// Sends what gathered in a turn of the loop. Any connection may turn out to be lost; the core then reacts to that.
    func flush() { redis.flush() }
}
