/// A figure that `likesctl plan` calculates with, what it is, and where it was measured.
package struct PlanFigure: Sendable {
    package enum Unit: Sendable {
        /// Of CPU time.
        case microseconds
        case bytes
        case perSecond
        case count
    }

    /// What it is, as `Markup`.
    package let meaning: String
    package let value: Double
    package let unit: Unit
    /// Where it was measured, as docs/scaling.md says it.
    package let source: String

    init(_ meaning: String, _ value: Double, _ unit: Unit, _ source: String) {
        self.meaning = meaning
        self.value = value
        self.unit = unit
        self.source = source
    }

    /// CPU seconds.
    var cores: Double { value / 1e6 }

    /// Value and unit, as documents show them.
    package var text: String {
        switch unit {
        case .microseconds: "\(Quantity.plain(value)) µs"
        case .bytes: "\(Quantity.plain(value)) B"
        case .perSecond: "\(Quantity.plain(value))/s"
        case .count: Quantity.plain(value)
        }
    }
}

extension PlanFigure {
    /// A measured number that is told as it is, thousands parted.
    package static func wholeText(_ value: Double) -> String { Quantity.parted(value) }
}

/// The figures. Those of likes by their rate are in `LikeCost`.
package enum PlanFigures {
    private static let sizing = "`bench/sizing.py`"
    private static let performance = "[performance.md](performance.md)"
    private static let partitions = "[performance.md](performance.md#likes-in-partitions)"
    private static let hosts = "[operations.md](operations.md#many-hosts)"
    private static let messages = "[Messages](design/messages.md#measured)"

    // MARK: CPU

    static let requestOfCount = PlanFigure(
        "likesd, CPU: a request for counts that it has in memory", 3.3, .microseconds, sizing)
    static let countInMemory = PlanFigure("likesd, CPU: each count of it", 0.12, .microseconds, sizing)
    static let countFromRedis = PlanFigure(
        "likesd, CPU: more for a count that it has Redis tell", 4.5, .microseconds, sizing)
    static let coldInLikesd = PlanFigure(
        "likesd, CPU: more for a count that Redis lacks too", 5.6, .microseconds, sizing)
    static let heardCount = PlanFigure(
        "likesd, CPU: a count that another host tells of", 1.6, .microseconds, messages)
    static let redisPerCount = PlanFigure("Redis, CPU: a count that a host asks for", 2.8, .microseconds, sizing)
    static let redisPerFill = PlanFigure(
        "Redis, CPU: more for a count that it lacks and is given", 5.6, .microseconds, sizing)
    static let copiedMessage = PlanFigure(
        "Redis, CPU: a batch's message, for each host that hears it", 0.46, .microseconds, messages)
    static let postgresPerCold = PlanFigure(
        "PostgreSQL, CPU: a count that the caches lack, on the primary or a standby", 7.2, .microseconds, sizing)
    static let replayedLike = PlanFigure(
        "PostgreSQL, CPU: a like on a standby, for the one process that replays", 11, .microseconds, sizing)
    static let partitionPerBatch = PlanFigure(
        "PostgreSQL, CPU: each partition of the likes, for each batch", 5.5, .microseconds, partitions)
    static let idleHost = PlanFigure("PostgreSQL, CPU: each host, in a second", 250, .microseconds, hosts)
    static let positions = PlanFigure(
        "PostgreSQL, CPU: more for each host with standbys, which asks for ten positions", 100, .microseconds, sizing)
    static let laneMax = PlanFigure(
        "likes that one host writes, with everything on the two cores of one machine", 21_800, .perSecond, sizing)

    // MARK: Memory

    static let idleDaemon = PlanFigure("likesd, memory: idle", 16_000_000, .bytes, performance)
    static let cachedCount = PlanFigure("likesd, memory: a count that it keeps", 48, .bytes, performance)
    static let connection = PlanFigure("likesd, memory: a client at rest", 1_030, .bytes, sizing)
    static let redisCounter = PlanFigure(
        "Redis, memory: a counter and its version, for `CACHE_TTL_SECONDS` after the last use", 295, .bytes, sizing)
    static let redisUser = PlanFigure(
        "Redis, memory: a user who has liked something within `RECENT_LIKES_TTL`", 270, .bytes, sizing)
    static let redisFurtherLike = PlanFigure(
        "Redis, memory: each further like of such a user, up to `RECENT_LIKES_MAX`", 56, .bytes, sizing)
    static let redisRate = PlanFigure(
        "Redis, memory: a user who has liked something within `RATE_LIMIT_WINDOW_SECONDS`", 117, .bytes, sizing)

    // MARK: Bytes on disk

    static let likeOnDisk = PlanFigure(
        "PostgreSQL, disk: a like, its entry in the index included", 113, .bytes, performance)
    static let likeInIndex = PlanFigure("PostgreSQL, disk: of these, the entry in the index", 53, .bytes, performance)
    static let counterOnDisk = PlanFigure(
        "PostgreSQL, disk: a counter, its entry in the index included", 126, .bytes, sizing)
    static let logPerLike = PlanFigure("PostgreSQL, WAL: a like", 425, .bytes, sizing)
    static let logPerBatch = PlanFigure("PostgreSQL, WAL: more for each batch", 140, .bytes, sizing)
    static let pageImage = PlanFigure(
        "PostgreSQL, WAL: a page that is changed for the first time after a checkpoint", 6_160, .bytes, sizing)

    // MARK: Bytes on the wire

    static let postgresInPerLike = PlanFigure("network: from likesd to PostgreSQL, a like", 103, .bytes, sizing)
    static let postgresOutPerLike = PlanFigure("network: from PostgreSQL to likesd, a like", 74, .bytes, sizing)
    static let redisInPerLike = PlanFigure("network: from likesd to Redis, a like", 220, .bytes, sizing)
    static let redisOutPerLike = PlanFigure("network: from Redis to likesd, a like", 40, .bytes, sizing)
    static let redisInPerCount = PlanFigure("network: from likesd to Redis, a count", 62, .bytes, sizing)
    static let redisOutPerCount = PlanFigure("network: from Redis to likesd, a count", 47, .bytes, sizing)
    static let messagePerLike = PlanFigure("network: from Redis to each host, a like's message", 20, .bytes, messages)

    // MARK: Connections

    static let connectionsPerHost = PlanFigure(
        "PostgreSQL: connections of a host, with those of a restart", 2.2, .count, hosts)

    static let connectionMemory = PlanFigure(
        "PostgreSQL, memory: a connection", 6_600_000, .bytes, hosts)

    /// All, in the order in which docs/scaling.md lists them.
    package static let all = [
        requestOfCount, countInMemory, countFromRedis, coldInLikesd, heardCount, redisPerCount, redisPerFill,
        copiedMessage, postgresPerCold, replayedLike, partitionPerBatch, idleHost, positions, laneMax, idleDaemon,
        cachedCount, connection,
        redisCounter, redisUser, redisFurtherLike, redisRate, likeOnDisk, likeInIndex, counterOnDisk, logPerLike,
        logPerBatch, pageImage, postgresInPerLike, postgresOutPerLike, redisInPerLike, redisOutPerLike, redisInPerCount,
        redisOutPerCount, messagePerLike, connectionsPerHost,
        connectionMemory,
    ]
}
