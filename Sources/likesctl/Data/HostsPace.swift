import LikesctlCommands

/// Keeps a long change from running away from the hosts, which have to set each changed count in Redis again.
struct HostsPace {
    /// Repairs that may wait. Hosts set some 20,000 a second, so they are never many seconds behind.
    static let repairsMax: Int64 = 20_000
    /// How long it waits for hosts that take none, in milliseconds: Redis may be away, and hosts then go on as well.
    static let idleMsMax: Int64 = 10_000
    private static let pollMs: Int32 = 50
    /// Repairs that are counted while it waits: a table of them must not be read over and over.
    private static let countMax: Int64 = 100_000

    /// A host that has given no sign of life for so long is another host's to clean up after.
    private static let hostSilentSeconds = 15
    /// A boolean, within a statement: whether any host is there to take what is noted.
    static let isHostAlive =
        "EXISTS (SELECT FROM likesd_hosts WHERE seen_at > now() - interval '\(hostSilentSeconds) s')"
    /// $1: up to how many repairs are counted. One row: how many hosts have to take, and whether there is a host.
    private static let backlogStatement = """
        SELECT (SELECT count(*) FROM (SELECT FROM cache_repairs LIMIT $1::bigint) AS waiting), \(isHostAlive)::int
        """

    /// After hosts took none it does not wait again before this moment.
    private var waitsAgainAtMs: Int64 = 0

    /// Waits until hosts have taken most of the repairs, or `isOver`. `waiting` is told what it waits for.
    mutating func wait(
        _ database: borrowing Database, waiting: (String) -> Void, isOver: () -> Bool = { false }
    ) throws(Failure) {
        guard SystemCalls.nowMs() >= waitsAgainAtMs else { return }
        var backlog = try Self.backlog(database, upTo: Self.repairsMax + 1)
        guard backlog > Self.repairsMax else { return }
        var least = Int64.max
        var progressAtMs = SystemCalls.nowMs()
        while backlog > Self.repairsMax, !isOver() {
            waiting("until hosts have taken what changed")
            SystemCalls.pause(ms: Self.pollMs)
            backlog = try Self.backlog(database, upTo: Self.countMax)
            if backlog < least {
                least = backlog
                progressAtMs = SystemCalls.nowMs()
            }
            guard SystemCalls.nowMs() - progressAtMs < Self.idleMsMax else {
                waitsAgainAtMs = SystemCalls.nowMs() + Self.idleMsMax
                return
            }
        }
    }

    /// 0 if there is no host that would take them. If counting takes too long there are too many.
    private static func backlog(_ database: borrowing Database, upTo count: Int64) throws(Failure) -> Int64 {
        do throws(Failure) {
            let row = try database.numbers(Self.backlogStatement, [String(count)])
            return row.number(0, 1) == 1 ? row.number(0, 0) ?? 0 : 0
        } catch {
            guard error.isCancelled else { throw error }
            return count
        }
    }
}
