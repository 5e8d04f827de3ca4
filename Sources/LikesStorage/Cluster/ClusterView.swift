import LikesProtocol

/// What one node of a Redis Cluster says of all: the answer to CLUSTER NODES. Nodes may differ in what they say while a
/// failover is under way, while slots move, and for as long as one is cut off.
package struct ClusterView: Equatable, Sendable {
    /// A primary. One without slots may be about to get some.
    package struct Node: Hashable, Sendable {
        /// 40 hexadecimal digits, which the node keeps for life.
        package var id: String
        package var host: String
        package var port: Int
        /// nil: it announces none. Nodes may name it so where they send somebody to another node.
        package var hostname: String?
        /// A node that takes slots over takes a higher one than any before.
        package var epoch: Int64
        package var slots: [ClosedRange<Int>]

        /// For people.
        package var name: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

        package init(
            id: String, host: String, port: Int, hostname: String? = nil, epoch: Int64, slots: [ClosedRange<Int>]
        ) {
            self.id = id
            self.host = host
            self.port = port
            self.hostname = hostname
            self.epoch = epoch
            self.slots = slots
        }
    }

    package var primaries: [Node]
    /// All nodes, also replicas.
    package var ids: Set<String>

    package init(primaries: [Node], ids: Set<String>) {
        self.primaries = primaries
        self.ids = ids
    }

    /// Nodes that are taken in. Redis recommends no more than 1,000.
    static let nodesMax = 2_048
    static let idBytes = 40
    /// Of a host and its port. A name in DNS is no longer.
    static let hostBytesMax = 261

    /// `askedHost`: the address at which the node was asked. Until others have told it, a node does not know its own.
    package init(_ text: some StringProtocol, askedHost: String) throws(Misfit) {
        primaries = []
        ids = []
        var slotsTaken = Set<Int>()
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.split(separator: " ")
            guard words.count >= 8, Self.isID(words[0]), let epoch = Int64(words[6]), epoch >= 0 else {
                throw Misfit("CLUSTER NODES: a line that describes no node")
            }
            let (id, flags) = (String(words[0]), words[2].split(separator: ","))
            guard ids.insert(id).inserted, ids.count <= Self.nodesMax else {
                throw Misfit("CLUSTER NODES: a node twice, or more than \(Self.nodesMax)")
            }
            // A node that failed still owns its slots until another one takes them.
            guard flags.contains("master"), !flags.contains("noaddr") else { continue }
            let slots = try Self.slots(words[8...], &slotsTaken)
            guard !slots.isEmpty || !flags.contains("fail") else { continue }
            guard let address = Self.address(words[1]) else {
                throw Misfit("CLUSTER NODES: a node without an address")
            }
            let host = address.host.isEmpty ? askedHost : address.host
            primaries.append(
                Node(id: id, host: host, port: address.port, hostname: address.hostname, epoch: epoch, slots: slots))
        }
    }

    /// `HOST:PORT@BUSPORT`, and with Redis 7 `,HOSTNAME` or `,HOSTNAME,…` behind it.
    private static func address(_ word: some StringProtocol) -> (host: String, port: Int, hostname: String?)? {
        let parts = word.split(separator: ",", omittingEmptySubsequences: false)
        let endpoint = parts[0].prefix { $0 != "@" }
        let hostname = parts.count > 1 && !parts[1].isEmpty ? String(parts[1]) : nil
        guard isHost(endpoint), isHost(hostname ?? "") else { return nil }
        guard let colon = endpoint.lastIndex(of: ":"), let port = Int(endpoint[endpoint.index(after: colon)...]),
            (1...65_535).contains(port)
        else { return nil }
        return (String(endpoint[..<colon]), port, hostname)
    }

    private static func isID(_ word: some StringProtocol) -> Bool {
        word.utf8.count == idBytes
            && word.utf8.allSatisfy {
                UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0
            }
    }

    /// Whether it is short, and shows as what it is wherever addresses are shown.
    private static func isHost(_ word: some StringProtocol) -> Bool {
        word.utf8.count <= hostBytesMax
            && word.utf8.allSatisfy { (0x21...0x7e).contains($0) && !#""'\`"#.utf8.contains($0) }
    }

    /// Ranges and single slots. A word in brackets is a slot on its way, which still has its owner.
    private static func slots(
        _ words: ArraySlice<some StringProtocol>, _ taken: inout Set<Int>
    ) throws(Misfit) -> [ClosedRange<Int>] {
        var slots: [ClosedRange<Int>] = []
        for word in words where !word.hasPrefix("[") {
            let ends = word.split(separator: "-").map { Int($0) }
            guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], first <= last,
                first >= 0, last < RedisSlot.count
            else { throw Misfit("CLUSTER NODES: a range that has no slots") }
            for slot in first...last where !taken.insert(slot).inserted {
                throw Misfit("CLUSTER NODES: a slot with two owners")
            }
            slots.append(first...last)
        }
        return slots
    }
}
