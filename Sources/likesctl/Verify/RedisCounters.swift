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

    private let client: RedisClient
    private let secret: Secret

    init(_ client: RedisClient, _ secret: Secret) {
        self.client = client
        self.secret = secret
    }

    private static func keys(of item: String) -> [String] {
        [RedisKeys.counter.of(item), RedisKeys.version.of(item)]
    }

    /// Reads the counters of items, given as text. Those of one command are from one moment.
    func read(_ items: [String]) throws(RedisTrouble) -> [Reading] {
        var readings: [Reading] = []
        for slice in items.slices(of: RedisClient.itemsMax) {
            let answer = try client.value(["MGET", "\(RedisKeys.marker)"] + slice.flatMap { Self.keys(of: $0) })
            guard case .array(let values) = answer, values.count == 1 + 2 * slice.count else {
                throw RedisTrouble(reason: "MGET got an unexpected answer: is it Redis?")
            }
            let token = Self.token(of: values[0]) ?? ""
            for place in slice.indices {
                let first = 1 + 2 * (place - slice.startIndex)
                readings.append(reading(values[first], values[first + 1], of: slice[place], token))
            }
        }
        return readings
    }

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
        var cursor = "0"
        repeat {
            var keys: [String] = []
            do {
                (cursor, keys) = try page(cursor)
            } catch {
                throw trouble(error)
            }
            try body(keys)
        } while cursor != "0"
    }

    private func page(_ cursor: String) throws(RedisTrouble) -> (cursor: String, keys: [String]) {
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
        guard case .integer(let count) = try client.value(["DBSIZE"]) else { return 0 }
        return count
    }

    /// Removes counters with their versions. A missing counter is never wrong.
    func forget(_ items: [String]) throws(RedisTrouble) {
        for slice in items.slices(of: RedisClient.itemsMax) {
            _ = try client.value(["UNLINK"] + slice.flatMap { Self.keys(of: $0) })
        }
    }
}
