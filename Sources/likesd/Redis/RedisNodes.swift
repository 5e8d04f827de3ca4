import LikesCore
import LikesSettings
import LikesStorage

/// The connections to Redis: two to each primary, and those to who names the primaries.
final class RedisNodes {
    struct Links {
        let calls: RedisLink
        let messages: SubscriberLink
    }

    private let driver: CoreDriver
    private let loop: EventLoop
    private var configuration: Configuration
    /// Of this process, drawn at random.
    private let number: UInt64
    private var links: [Links] = []
    /// nil: REDIS_URL names the server itself, or nodes of a cluster.
    private let primary: RedisPrimary?
    private let cluster: ClusterWatch

    init(configuration: Configuration, driver: CoreDriver, loop: EventLoop, number: UInt64) {
        self.configuration = configuration
        self.driver = driver
        self.loop = loop
        self.number = number
        primary = RedisPrimary(configuration: configuration, driver: driver, loop: loop)
        cluster = ClusterWatch(configuration: configuration, driver: driver, loop: loop)
        primary?.onMove = { [unowned self] failure, primary in
            for links in self.links {
                links.calls.leave(failure, unlessAt: primary)
                links.messages.leave(failure, unlessAt: primary)
            }
        }
    }

    /// The core names nodes in the order of their places.
    subscript(_ node: NodePlace) -> Links {
        while links.count <= node { links.append(make(links.count)) }
        return links[node]
    }

    private func make(_ node: NodePlace) -> Links {
        let target = { backend in
            let address = NodeAddresses(node, self.configuration.redis, self.driver)
            return RedisTarget(self.configuration, self.primary, for: backend, address: address.next)
        }
        return Links(
            calls: RedisLink(
                node, driver: driver, loop: loop, configuration: configuration, target: target(.redis(node)),
                number: number, clusterFound: { [unowned self] in cluster.ask() }),
            messages: SubscriberLink(
                node, driver: driver, loop: loop, configuration: configuration, target: target(.subscriber(node)),
                number: number))
    }

    func configure(_ configuration: Configuration) {
        self.configuration = configuration
        for links in links { links.calls.configure(configuration) }
    }

    func askCluster() { cluster.ask() }

    func flush() {
        for links in links {
            links.calls.flush()
            links.messages.flush()
        }
        primary?.flush()
        cluster.flush()
    }

    func end() {
        for links in links {
            links.calls.disconnect()
            links.messages.disconnect()
        }
        primary?.end()
        cluster.end()
    }
}

/// Where one connection to a node leads with each attempt.
private final class NodeAddresses {
    private let node: NodePlace
    private let endpoint: RedisEndpoint
    private let driver: CoreDriver
    private var attempts = 0

    init(_ node: NodePlace, _ endpoint: RedisEndpoint, _ driver: CoreDriver) {
        self.node = node
        self.endpoint = endpoint
        self.driver = driver
    }

    /// A node that the core has learnt of; otherwise what REDIS_URL names, one after the other.
    func next() -> RedisEndpoint.Address {
        if let known = driver.ask({ $0.clusterNode(node) }) { return .tcp(host: known.host, port: known.port) }
        switch endpoint.topology {
        case .server(let address): return address
        case .cluster(let addresses):
            attempts += 1
            return addresses[(attempts - 1) % addresses.count]
        case .sentinels: preconditionFailure("the Sentinels name the server")
        }
    }
}
