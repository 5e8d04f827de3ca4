import LikesStorage

/// What each part has to do. Cores are CPU seconds per second, at the peak.
package struct PlanNeeds: Equatable, Sendable {
    // Of one likesd.
    package let daemonCores: Double
    /// Of these, for what other hosts tell it.
    package let hearingCores: Double
    /// Of these, for counts.
    package let countCores: Double
    package let daemonBytes: Double
    /// Likes per second of one writing connection.
    package let laneLikes: Double

    // Of one Redis primary.
    package let redisCores: Double
    package let redisBytes: Double
    package let redisBytesOut: Double
    package let redisBytesIn: Double

    // Of one PostgreSQL primary.
    package let primaryCores: Double
    /// CPU for counts that the caches lack, on the primary or its standbys.
    package let coldCores: Double
    package let logBytes: Double
    /// Of these, pages as a whole.
    package let logBytesOfPages: Double
    /// For likes.
    package let primaryBytesIn: Double
    package let primaryBytesOut: Double
    /// The index' pages that a day's users touch.
    package let indexBytes: Double
    package let diskBytes: Double
    package let diskBytesPerYear: Double
    package let likesAfterAYear: Double
    /// Of the likes; 1: one table.
    package let partitions: Int
    package let connections: Double

    // Of one standby.
    package let replayCores: Double

    init(_ load: PlanLoad, databases: Int, hosts: Int, redisNodes: Int, readingStandbys: Int) {
        let parts = Double(databases)
        let hosts = Double(hosts)
        let nodes = Double(redisNodes)
        // Of one database. Its items are a part of all; its users are all of them.
        let likes = load.likes / parts
        let counts = load.counts / parts
        let items = max(1, load.items / parts)
        let lane = likes / hosts
        let reads = Self.reads(load, counts: counts / hosts, items: items)

        hearingCores = hosts > 1 ? likes * PlanFigures.heardCount.cores : 0
        countCores =
            counts / hosts
            * (PlanFigures.requestOfCount.cores / load.countsPerRequest + PlanFigures.countInMemory.cores)
            + reads.fromRedis * PlanFigures.countFromRedis.cores + reads.cold * PlanFigures.coldInLikesd.cores
        daemonCores = LikeCost.cores(of: \.likesd, at: lane) + hearingCores + countCores
        daemonBytes =
            PlanFigures.idleDaemon.value
            + min(items, PlanAssumptions.localEntriesMax) * PlanFigures.cachedCount.value
            + PlanAssumptions.connectionsPerHost * PlanFigures.connection.value
        laneLikes = lane

        let messages = LikeCost.batches(at: lane) * hosts
        redisCores =
            (hosts * LikeCost.cores(of: \.redis, at: lane) + messages * hosts * PlanFigures.copiedMessage.cores
                + hosts
                * (reads.fromRedis * PlanFigures.redisPerCount.cores + reads.cold * PlanFigures.redisPerFill.cores))
            / nodes
        let likesOfUser = min(
            PlanAssumptions.recentLikesMax,
            max(1, load.likes / load.peak * PlanAssumptions.secondsPerDay / load.users / parts))
        let rated = min(load.users, likes * PlanAssumptions.rateWindowSeconds)
        redisBytes =
            (items * PlanFigures.redisCounter.value
                + min(load.users, likes * PlanAssumptions.secondsPerDay)
                * (PlanFigures.redisUser.value + (likesOfUser - 1) * PlanFigures.redisFurtherLike.value)
                + rated * PlanFigures.redisRate.value)
            / nodes
        redisBytesIn =
            (likes * PlanFigures.redisInPerLike.value + hosts * reads.fromRedis * PlanFigures.redisInPerCount.value)
            / nodes
        redisBytesOut =
            (likes * (PlanFigures.redisOutPerLike.value + hosts * PlanFigures.messagePerLike.value)
                + hosts * reads.fromRedis * PlanFigures.redisOutPerCount.value) / nodes

        let cold = hosts * reads.cold
        coldCores = cold * PlanFigures.postgresPerCold.cores
        let idle = hosts * (PlanFigures.idleHost.cores + (readingStandbys > 0 ? PlanFigures.positions.cores : 0))
        let likesPerYear = likes / load.peak * PlanAssumptions.secondsPerYear
        likesAfterAYear = load.likesStored / parts + likesPerYear
        partitions = Self.partitions(of: likesAfterAYear, batches: messages)
        // One table costs nothing more.
        let divided = partitions > 1 ? messages * Double(partitions) * PlanFigures.partitionPerBatch.cores : 0
        primaryCores =
            divided + hosts * LikeCost.cores(of: \.postgres, at: lane) + idle + (readingStandbys > 0 ? 0 : coldCores)
        primaryBytesIn = likes * PlanFigures.postgresInPerLike.value
        primaryBytesOut = likes * PlanFigures.postgresOutPerLike.value
        replayCores = likes * PlanFigures.replayedLike.cores

        let stored = load.likesStored / parts
        diskBytes = stored * PlanFigures.likeOnDisk.value + items * PlanFigures.counterOnDisk.value
        diskBytesPerYear = likesPerYear * PlanFigures.likeOnDisk.value
        let likesPerDay = likes / load.peak * PlanAssumptions.secondsPerDay
        let leaves = min(
            stored * PlanFigures.likeInIndex.value / PlanAssumptions.pageBytes, load.users, likesPerDay)
        indexBytes = leaves * PlanAssumptions.pageBytes
        let counterPages = items * PlanFigures.counterOnDisk.value / PlanAssumptions.pageBytes
        let changes = likes * PlanAssumptions.checkpointSeconds
        let pages = Self.distinct(changes, of: leaves) + Self.distinct(changes, of: counterPages)
        logBytesOfPages = pages / PlanAssumptions.checkpointSeconds * PlanFigures.pageImage.value
        logBytes =
            likes * PlanFigures.logPerLike.value + messages * PlanFigures.logPerBatch.value + logBytesOfPages
        connections = (hosts * PlanFigures.connectionsPerHost.value + PlanAssumptions.connectionsBeside).rounded(.up)
    }

    /// As many as keep each quick to maintain, or as few as the batches can pay for: each batch opens and locks all.
    private static func partitions(of likes: Double, batches: Double) -> Int {
        let wanted = likes / PlanAssumptions.likesPerTable
        let mayTake =
            PlanAssumptions.partitionsShare * PlanAssumptions.usableShare * PlanAssumptions.databaseCores
        let paidFor = mayTake / max(batches * PlanFigures.partitionPerBatch.cores, .leastNormalMagnitude)
        var partitions = PlanAssumptions.partitionsMin
        guard wanted > 1, paidFor >= Double(partitions) else { return 1 }
        while Double(partitions) < wanted, Double(2 * partitions) <= paidFor, partitions < Partitions.countMax {
            partitions *= 2
        }
        return partitions
    }

    /// Counts per second that one host has to ask for, if each item is as likely. With the usual skew they are fewer.
    private static func reads(_ load: PlanLoad, counts: Double, items: Double) -> (fromRedis: Double, cold: Double) {
        let kept = min(items, PlanAssumptions.localEntriesMax)
        let fresh = load.localFreshSeconds
        guard fresh > 0 else { return (counts, counts * load.coldShare) }
        // Of the items that it keeps, each is asked for once while it is fresh; the others every time.
        let ofKept = distinct(counts * kept / items * fresh, of: kept) / fresh
        let fromRedis = ofKept + counts * (1 - kept / items)
        return (fromRedis, min(fromRedis, counts * load.coldShare))
    }

    /// How many different ones so many draws touch, at most.
    private static func distinct(_ draws: Double, of all: Double) -> Double { min(draws, all) }

    /// Whether one PostgreSQL does its part.
    var fitOneDatabase: Bool {
        let usable = PlanAssumptions.usableShare
        return primaryCores <= usable * PlanAssumptions.databaseCores && replayCores <= usable
            && logBytes <= PlanAssumptions.logBytesPerSecond
            && indexBytes <= PlanAssumptions.indexMemoryShare * PlanAssumptions.databaseMemoryBytes
            && diskBytes <= PlanAssumptions.databaseDiskBytes && hearingCores <= usable * PlanAssumptions.hearingShare
    }
}
