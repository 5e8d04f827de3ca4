import LikesProtocol
import LikesSettings
import LikesStorage

/// The Redis servers that have likesd's counters: one, or the nodes of a cluster.
final class RedisServers {
    /// One server, or a cluster's node.
    struct Server {
        let client: RedisClient
        /// The key of its marker.
        let marker: String
        /// nil: it is not a cluster's node.
        fileprivate let place: SlotMap.Place?
    }

    private let endpoint: RedisEndpoint
    /// The first connection: to the only server, or to a node that names all of them.
    private let first: RedisClient
    private let firstHost: String
    /// nil: it is not a cluster.
    private var map: SlotMap?
    private var clients: [SlotMap.Place: RedisClient] = [:]

    init(_ endpoint: RedisEndpoint) throws(RedisTrouble) {
        self.endpoint = endpoint
        (first, firstHost) = try Self.firstClient(endpoint)
        // Who may not ask for it is not asked to by a cluster either.
        guard case .text(let text) = try first.call(["INFO", "server"]),
            text.split(whereSeparator: \.isNewline).contains("redis_mode:cluster")
        else {
            if case .cluster = endpoint.topology {
                throw RedisTrouble(reason: "\(endpoint.maskedURL): it is not a node of a Redis Cluster")
            }
            return
        }
        map = SlotMap()
        try learn(from: first)
        if map?.isWhole == false {
            throw RedisTrouble(reason: "\(endpoint.maskedURL): slots of the Redis Cluster have no node")
        }
    }

    private static func firstClient(
        _ endpoint: RedisEndpoint
    ) throws(RedisTrouble) -> (RedisClient, host: String) {
        switch endpoint.topology {
        case .server(.tcp(let host, _)): return (try .connected(to: endpoint), host)
        case .server(.unix), .sentinels: return (try .connected(to: endpoint), "127.0.0.1")
        case .cluster(let addresses):
            var troubles: [String] = []
            for address in addresses {
                do {
                    let client = try RedisClient(address, endpoint.credentials, place: address.name)
                    return (client, address.host)
                } catch {
                    troubles.append(error.reason)
                }
            }
            throw RedisTrouble(reason: troubles.joined(separator: "; "))
        }
    }

    private func learn(from client: RedisClient) throws(RedisTrouble) {
        guard case .text(let text) = try client.value(["CLUSTER", "NODES"]) else {
            throw RedisTrouble(reason: "CLUSTER NODES got an unexpected answer: is it Redis?")
        }
        do {
            _ = map?.take(try ClusterView(text, askedHost: firstHost))
        } catch {
            throw RedisTrouble(reason: error.text)
        }
    }

    /// One that cannot be reached makes the whole comparison fail, as the only server does.
    private func server(at place: SlotMap.Place) throws(RedisTrouble) -> Server? {
        guard let map, let slot = map.markerSlot(of: place) else { return nil }
        let node = map.nodes[place]
        let address = RedisEndpoint.Address.tcp(host: node.host, port: node.port)
        let marker = RedisKeys.marker(slot: slot)
        if let client = clients[place] { return Server(client: client, marker: marker, place: place) }
        let client = try RedisClient(address, endpoint.credentials, place: address.name)
        clients[place] = client
        return Server(client: client, marker: marker, place: place)
    }

    /// The server that has everything.
    private var only: Server { Server(client: first, marker: "\(RedisKeys.marker)", place: nil) }

    /// All that have counters.
    func all() throws(RedisTrouble) -> [Server] {
        guard let map else { return [only] }
        var servers: [Server] = []
        for place in map.nodes.indices {
            if let server = try server(at: place) { servers.append(server) }
        }
        return servers
    }

    var isCluster: Bool { map != nil }

    /// Divides items, given as text, by the server that has them. Those that no server has are left out.
    func divided(_ items: [String]) throws(RedisTrouble) -> [(server: Server, places: [Int])] {
        guard let map else { return [(only, Array(items.indices))] }
        var places: [SlotMap.Place: [Int]] = [:]
        for (place, item) in items.enumerated() {
            let slot = RedisSlot.of(key: RedisKeys.counter.of(item).utf8)
            if let owner = map.owner(of: slot) { places[owner, default: []].append(place) }
        }
        var parts: [(server: Server, places: [Int])] = []
        for (owner, found) in places.sorted(by: { $0.key < $1.key }) {
            if let server = try server(at: owner) { parts.append((server, found)) }
        }
        return parts
    }

    /// Removes keys, wherever each of them is.
    func remove(_ keys: [String]) throws(RedisTrouble) {
        for key in keys {
            let words = ["UNLINK", key]
            guard let map else {
                _ = try first.value(words)
                continue
            }
            guard let owner = map.owner(of: RedisSlot.of(key: key.utf8)), let server = try server(at: owner) else {
                throw RedisTrouble(reason: "the slot of \(key) has no node")
            }
            guard case .error(let error) = try server.client.call(words) else { continue }
            guard try follow(error, words, from: server) != nil else {
                throw RedisTrouble(reason: "the slot of \(key) is between two nodes")
            }
        }
    }

    /// Repeats a command where the answer of a cluster's node says that the key is. nil: it is between two nodes, and
    /// half of it may be here and half there.
    func follow(
        _ error: String, _ words: [String], from server: Server
    ) throws(RedisTrouble) -> (value: RedisValue, server: Server)? {
        guard let from = server.place, let node = map?.nodes[from] else {
            throw RedisTrouble(reason: "\(words.first ?? ""): \(error)")
        }
        if error.hasPrefix("TRYAGAIN") { return nil }
        guard let redirect = SlotRedirect(error: error, askedHost: node.host) else {
            throw RedisTrouble(reason: "\(node.name): \(words.first ?? ""): \(error)")
        }
        if !redirect.isAsk { try learn(from: server.client) }
        guard let place = map?.place(host: redirect.host, port: redirect.port), let other = try self.server(at: place)
        else { return nil }
        let commands = redirect.isAsk ? [["ASKING"], words] : [words]
        guard let value = try other.client.calls(commands).last else { return nil }
        if case .error = value { return nil }
        return (value, other)
    }
}

extension RedisEndpoint.Address {
    fileprivate var host: String { if case .tcp(let host, _) = self { host } else { "127.0.0.1" } }
}
