/// All that a Redis holds, as its commands tell it.
struct RedisContents {
    struct Entry {
        /// A set's members in order.
        var value: String
        /// nil: it never expires.
        var ttlSeconds: Int64?
    }

    var entries: [String: Entry] = [:]

    subscript(key: String) -> Entry? { entries[key] }

    /// What has to be known apart: TTLs, and deadlines, are set this far from each other or farther. Between the two
    /// lies whatever time the test itself takes, which passes for the real server alone.
    static let toleranceSeconds: Int64 = 200

    /// A version without the digits of the time at which hosts were told of it: the two clocks differ.
    static func withoutClock(_ version: String) -> String {
        guard version.utf8.count > 6, version.utf8.suffix(6).allSatisfy({ (0x30...0x39).contains($0) }) else {
            return version
        }
        return version.dropLast(6) + "######"
    }

    static func isSameTime(_ a: Int64?, _ b: Int64?) -> Bool {
        guard let a, let b else { return a == nil && b == nil }
        return abs(a - b) <= toleranceSeconds
    }

    /// Each key in which the two differ, with both.
    func differences(from other: RedisContents) -> [String] {
        Set(entries.keys).union(other.entries.keys).sorted().compactMap { key in
            let (mine, others) = (entries[key], other.entries[key])
            if mine?.value == others?.value, Self.isSameTime(mine?.ttlSeconds, others?.ttlSeconds) { return nil }
            return "\(key): \(Self.text(mine)), not \(Self.text(others))"
        }
    }

    private static func text(_ entry: Entry?) -> String {
        guard let entry else { return "nothing" }
        return "'\(entry.value)' for \(entry.ttlSeconds.map { "\($0) s" } ?? "ever")"
    }
}
