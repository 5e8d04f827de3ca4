import LikesSettings
import LikesStorage

extension RedisClient {
    /// Milliseconds for each step of asking a Sentinel: another one may be there.
    private static let sentinelMs = 1_000

    /// To the server of the URL, or to the primary that its Sentinels name.
    static func connected(to endpoint: RedisEndpoint) throws(RedisTrouble) -> RedisClient {
        let sentinels: RedisSentinels
        switch endpoint.topology {
        case .server(let address):
            return try RedisClient(
                address, endpoint.credentials, database: endpoint.database, place: endpoint.maskedURL)
        case .sentinels(let named): sentinels = named
        case .cluster: preconditionFailure("a cluster has no primary of all")
        }
        let address = try primary(sentinels).address
        let client = try RedisClient(
            address, endpoint.credentials, database: endpoint.database,
            place: "\(address.name), the primary by Sentinel")
        guard case .text(let text) = try client.value(["INFO", "replication"]),
            text.split(whereSeparator: \.isNewline).contains("role:master")
        else { throw RedisTrouble(reason: "\(address.name) is not a primary, though the Sentinels name it: try again") }
        return client
    }

    /// Asks all of them: one that is cut off from the others may name a server that was replaced.
    private static func primary(_ sentinels: RedisSentinels) throws(RedisTrouble) -> NamedPrimary {
        var choice = PrimaryChoice(sentinels: sentinels.addresses.count)
        var reasons: [String] = []
        for (place, address) in sentinels.addresses.enumerated() {
            do {
                choice.heard(try ask(address, sentinels), from: place)
            } catch {
                reasons.append(error.reason)
            }
        }
        guard case .primary(let primary) = choice.choice else {
            throw RedisTrouble(reason: "no Sentinel names a primary: \(reasons.joined(separator: "; "))")
        }
        return primary
    }

    private static func ask(
        _ address: RedisEndpoint.Address, _ sentinels: RedisSentinels
    ) throws(RedisTrouble) -> NamedPrimary {
        let client = try RedisClient(
            address, sentinels.credentials, place: "Sentinel \(address.name)", timeoutMs: sentinelMs)
        var answers = SentinelAnswers()
        var outcome: SentinelOutcome?
        for words in SentinelAnswers.commands(sentinels.name) {
            outcome = answers.take(SentinelReply(try client.call(words)))
        }
        switch outcome {
        case .named(let primary): return primary
        case .trouble(let trouble):
            throw RedisTrouble(reason: "Sentinel \(address.name): \(trouble.text(sentinels.name))")
        case .changing: throw RedisTrouble(reason: "Sentinel \(address.name): a failover is under way: try again")
        case .misfit, nil: throw RedisTrouble(reason: "Sentinel \(address.name): no answer of a Sentinel's")
        }
    }
}

extension SentinelReply {
    fileprivate init(_ value: RedisValue) {
        switch value {
        case .null: self = .null
        case .error(let words): self = .error(words)
        case .integer, .text: self = .other
        case .array(let values):
            let words = values.map { value in if case .text(let text) = value { text } else { String?.none } }
            self = words.contains(nil) ? .other : .list(words.compactMap { $0 })
        }
    }
}
