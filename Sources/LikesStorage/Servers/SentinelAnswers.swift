import LikesSettings

/// A Sentinel's reply to one command.
package enum SentinelReply: Equatable, Sendable {
    case list([String])
    case null
    case error(String)
    /// Anything else.
    case other
}

/// What a Sentinel's replies to the question say.
package enum SentinelOutcome: Equatable, Sendable {
    case named(NamedPrimary)
    /// A failover happened between the replies: ask again.
    case changing
    case trouble(SentinelTrouble)
    /// No Sentinel answers so.
    case misfit
}

/// Why a server of the URL cannot name the primary, although it answers.
package enum SentinelTrouble: Hashable, Sendable {
    case unknownName
    /// It does not know the command: a Redis server, for instance.
    case noSentinel
    /// Its words.
    case refused(String)
}

/// Asks a Sentinel which primary it knows.
///
/// `SENTINEL MASTER` has the epoch, but between the promotion and the end of a failover it names the old primary at the
/// new epoch. The address comes from `GET-MASTER-ADDR-BY-NAME`, which changes together with the epoch. It is asked
/// before and after, so that the epoch between two equal addresses belongs to them.
package struct SentinelAnswers {
    private var replies: [SentinelReply] = []

    package init() {}

    /// Commands, in order, without waiting for replies.
    package static func commands(_ name: String) -> [[String]] {
        [
            ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", name], ["SENTINEL", "MASTER", name],
            ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", name],
        ]
    }

    /// Where it tells of a failover, and how the messages about a name begin.
    package static let channel = "+switch-master"

    /// Takes the next reply; not nil with the last one.
    package mutating func take(_ reply: SentinelReply) -> SentinelOutcome? {
        replies.append(reply)
        return replies.count == 3 ? outcome : nil
    }

    private var outcome: SentinelOutcome {
        for case .error(let words) in replies {
            if words.contains("No such master") { return .trouble(.unknownName) }
            // Renamed or unknown: the rest repeats our own words.
            if words.contains("unknown command") { return .trouble(.noSentinel) }
            return .trouble(.refused(words))
        }
        if replies.contains(.null) { return .trouble(.unknownName) }
        guard case .list(let before) = replies[0], case .list(let facts) = replies[1],
            case .list(let after) = replies[2], let address = Self.address(before), let epoch = Self.epoch(facts)
        else { return .misfit }
        guard before == after else { return .changing }
        return .named(NamedPrimary(address: address, epoch: epoch))
    }

    /// Bytes of a host's name, as DNS allows.
    private static let hostBytesMax = 253

    private static func address(_ words: [String]) -> RedisEndpoint.Address? {
        guard words.count == 2, let port = Int64(words[1]), ConfigurationLimits.port.contains(port),
            (1...hostBytesMax).contains(words[0].utf8.count),
            words[0].unicodeScalars.allSatisfy({
                $0.isASCII && ($0.properties.isAlphabetic || "0123456789.:-_%".unicodeScalars.contains($0))
            })
        else { return nil }
        return .tcp(host: words[0], port: Int(port))
    }

    /// Of pairs of names and values.
    private static func epoch(_ facts: [String]) -> Int64? {
        for place in stride(from: 0, to: facts.count - 1, by: 2) where facts[place] == "config-epoch" {
            return Int64(facts[place + 1]).flatMap { $0 >= 0 ? $0 : nil }
        }
        return nil
    }
}
