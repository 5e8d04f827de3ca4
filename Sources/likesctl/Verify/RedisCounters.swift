import LikesProtocol
import LikesStorage

/// A counter in Redis that likesd believes.
struct RedisCounter: Equatable {
    var count: Int64
    var version: Int64
}

/// likesd's counters in Redis: keys and values.
struct RedisCounters {
    enum Reading {
        /// No counter.
        case none
        /// Without a version in likesd's form, or with a seal that is not this database's.
        case foreign
        /// With a version from an older generation.
        case oldGeneration
        case counter(RedisCounter)
    }

    private let servers: RedisServers
    private let secret: Secret

    init(_ servers: RedisServers, _ secret: Secret) {
        self.servers = servers
        self.secret = secret
    }

    private static func keys(of item: String) -> [String] {
        [RedisKeys.counter.of(item), RedisKeys.version.of(item)]
    }

    /// Reads the counters of items, given as text. Those of one command are from one moment.
    func read(_ items: [String]) throws(RedisTrouble) -> [Reading] {
        var readings = [Reading](repeating: .none, count: items.count)
        for slice in items.indices.map({ $0 }).slices(of: RedisClient.itemsMax) {
            for (server, offsets) in try servers.divided(slice.map { items[$0] }) {
                let places = offsets.map { slice.startIndex + $0 }
                let found =
                    servers.isCluster
                    ? try readOneByOne(places.map { items[$0] }, from: server)
                    : try readTogether(places.map { items[$0] }, from: server)
                for (place, reading) in zip(places, found) { readings[place] = reading }
            }
        }
        return readings
    }

    private func readTogether(
        _ items: [String], from server: RedisServers.Server
    ) throws(RedisTrouble) -> [Reading] {
        let answer = try server.client.value(["MGET", server.marker] + items.flatMap { Self.keys(of: $0) })
        guard case .array(let values) = answer, values.count == 1 + 2 * items.count else { throw Self.unexpected }
        let token = Self.token(of: values[0]) ?? ""
        return items.indices.map { reading(values[1 + 2 * $0], values[2 + 2 * $0], of: items[$0], token) }
    }

    /// A command of a cluster has keys of one slot. The marker is read first and last: it may change meanwhile.
    private func readOneByOne(
        _ items: [String], from server: RedisServers.Server
    ) throws(RedisTrouble) -> [Reading] {
        let marker = ["MGET", server.marker]
        let commands = [marker] + items.map { ["MGET"] + Self.keys(of: $0) } + [marker]
        let values = try server.client.calls(commands)
        let token = try token(values[0], marker, from: server)
        guard try self.token(values[values.count - 1], marker, from: server) == token else {
            // What was read belongs to one of two generations. A counter that is missing is never wrong.
            return Array(repeating: .none, count: items.count)
        }
        var readings: [Reading] = []
        for (place, item) in items.enumerated() {
            var (value, from) = (values[1 + place], server)
            var token = token
            if case .error(let error) = value {
                guard let found = try servers.follow(error, commands[1 + place], from: server) else {
                    readings.append(.none)
                    continue
                }
                (value, from) = found
                let marker = ["MGET", from.marker]
                token = try self.token(try from.client.call(marker), marker, from: from)
            }
            guard case .array(let pair) = value, pair.count == 2 else { throw Self.unexpected }
            readings.append(token.map { reading(pair[0], pair[1], of: item, $0) } ?? .none)
        }
        return readings
    }

    /// nil: it is between two nodes.
    private func token(
        _ value: RedisValue, _ words: [String], from server: RedisServers.Server
    ) throws(RedisTrouble) -> String? {
        var value = value
        if case .error(let error) = value {
            guard let found = try servers.follow(error, words, from: server) else { return nil }
            value = found.value
        }
        guard case .array(let values) = value, values.count == 1 else { throw Self.unexpected }
        return Self.token(of: values[0]) ?? ""
    }

    private static let unexpected = RedisTrouble(reason: "MGET got an unexpected answer: is it Redis?")

    private static func token(of generation: RedisValue) -> String? {
        guard case .text(let text) = generation else { return nil }
        return Generation(marker: text)?.token
    }

    /// `item`: as in `post:456`; `version`: as in `TOKEN.VERSION:SEAL:TOLD`.
    private func reading(_ count: RedisValue, _ version: RedisValue, of item: String, _ token: String) -> Reading {
        guard case .text(let count) = count else { return .none }
        guard case .text(let version) = version else { return .foreign }
        let words = version.utf8.split(
            separator: VersionValue.separator, maxSplits: 1, omittingEmptySubsequences: false)
        let name = item.split(separator: ":")
        guard words.count == 2, name.count == 2, let id = Int64(name[1]) else { return .foreign }
        let number = Array(count.utf8).withUnsafeBytes { Decimal.parseSigned($0) }
        let sealed = Array(words[1]).withUnsafeBytes {
            // Any type: the key already depends on the type.
            SealedCounter(item: Item(type: 0, id: id), count: number ?? 0, value: $0)
        }
        guard let sealed else { return .foreign }
        guard words[0].elementsEqual(token.utf8) else { return .oldGeneration }
        guard number != nil, secret.counterKey(token: token, type: String(name[0])).hasSealed(sealed) else {
            return .foreign
        }
        return .counter(RedisCounter(count: sealed.counter.count, version: sealed.counter.version))
    }

    /// Calls `body` with the keys of all counters, some at a time; a key may come twice.
    func scan<Problem: Error>(
        _ body: ([String]) throws(Problem) -> Void, _ trouble: (RedisTrouble) -> Problem
    ) throws(Problem) {
        let all: [RedisServers.Server]
        do { all = try servers.all() } catch { throw trouble(error) }
        for server in all {
            var cursor = "0"
            repeat {
                var keys: [String] = []
                do {
                    (cursor, keys) = try page(cursor, of: server.client)
                } catch {
                    throw trouble(error)
                }
                try body(keys)
            } while cursor != "0"
        }
    }

    private func page(
        _ cursor: String, of client: RedisClient
    ) throws(RedisTrouble) -> (cursor: String, keys: [String]) {
        let answer = try client.value(
            ["SCAN", cursor, "MATCH", RedisKeys.counter.of("*"), "COUNT", String(RedisClient.itemsMax)])
        guard case .array(let parts) = answer, parts.count == 2, case .text(let next) = parts[0],
            case .array(let elements) = parts[1]
        else { throw RedisTrouble(reason: "SCAN got an unexpected answer: is it Redis?") }
        let keys = elements.compactMap { element in
            if case .text(let key) = element { key } else { nil }
        }
        return (next, keys)
    }

    /// Roughly how many keys of all kinds there are.
    func keysCount() throws(RedisTrouble) -> Int64 {
        var sum: Int64 = 0
        for server in try servers.all() {
            if case .integer(let count) = try server.client.value(["DBSIZE"]) { sum += count }
        }
        return sum
    }

    /// Removes counters with their versions. A missing counter is never wrong.
    func forget(_ items: [String]) throws(RedisTrouble) {
        for slice in items.slices(of: RedisClient.itemsMax) {
            let items = Array(slice)
            for (server, places) in try servers.divided(items) {
                guard servers.isCluster else {
                    _ = try server.client.value(["UNLINK"] + items.flatMap { Self.keys(of: $0) })
                    continue
                }
                // One key a command: of a slot that is on its way, one may be on another node.
                let commands = places.flatMap { Self.keys(of: items[$0]) }.map { ["UNLINK", $0] }
                for (words, value) in zip(commands, try server.client.calls(commands)) {
                    if case .error(let error) = value { _ = try servers.follow(error, words, from: server) }
                }
            }
        }
    }
}
