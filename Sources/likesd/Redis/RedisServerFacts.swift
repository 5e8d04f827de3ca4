import LikesProtocol

/// What Redis says about itself in INFO.
struct RedisServerFacts {
    private var runID: String?
    private var replicationID: String?
    /// False: it follows another server, and takes no writes. nil: not reported.
    private(set) var isPrimary: Bool?

    /// It is a Sentinel, which watches Redis servers and has no data.
    private(set) var isSentinel = false

    /// It is a node of a Redis Cluster.
    private(set) var isClusterNode = false

    /// As Redis reports it, such as 7.0.15; nil: not reported.
    private(set) var version: String?

    /// `SET … GET` came with 6.2. A server that does not report its version is taken for new enough.
    var isTooOld: Bool {
        guard let version else { return false }
        let parts = version.split(separator: ".").map { Int($0) ?? 0 }
        return (parts.first ?? 0, parts.count > 1 ? parts[1] : 0) < (6, 2)
    }

    /// Takes one section, lines of `name:value`.
    mutating func take(_ section: String) {
        for line in section.split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            switch parts[0] {
            case "redis_version": version = ForeignText.shown(String(parts[1]))
            case "redis_mode":
                isSentinel = parts[1] == "sentinel"
                isClusterNode = parts[1] == "cluster"
            case "run_id": runID = Self.word(parts[1])
            case "master_replid": replicationID = Self.word(parts[1])
            case "role": isPrimary = parts[1] == "master"
            default: continue
            }
        }
    }

    /// Characters of an id; Redis' own have 40.
    private static let idBytesMax = 64

    /// nil: it could not be part of a word in the marker, or in a list of servers that commas separate.
    private static func word(_ text: Substring) -> String? {
        let isWord = text.utf8.allSatisfy {
            $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: ",")
        }
        return isWord && (1...idBytesMax).contains(text.utf8.count) ? String(text) : nil
    }

    /// One word for this server's life and the data it follows: a restart changes it, and so does a failover. nil: not
    /// reported.
    var name: String? {
        guard let runID, let replicationID else { return nil }
        return "\(runID):\(replicationID)"
    }
}
