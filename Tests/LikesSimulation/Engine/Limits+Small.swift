import LikesCore

extension Limits {
    /// Some of them so small that a few clients and items reach them.
    static func small(_ chance: inout Chance) -> Limits {
        var limits = Limits()
        func draw(_ path: WritableKeyPath<Limits, Int>, _ low: Int64, _ high: Int64) {
            let drawn = Int(chance.between(low, high))
            if chance.hits(percent: 60) { limits[keyPath: path] = drawn }
        }
        if chance.hits(percent: 60) {
            limits.requestsInFlightMax = Int(chance.between(4, 40))
            // Room for what one connection asks, the largest MCOUNT included.
            limits.readsWaitingMax = limits.requestsInFlightMax + 32 + chance.below(40)
        }
        draw(\.changesWaitingMax, 4, 40)
        limits.changesWaitingMin = min(limits.changesWaitingMin, limits.changesWaitingMax)
        draw(\.admissionEntriesMax, 1, 4)
        draw(\.countersPerCallMax, 1, 4)
        draw(\.pairsPerCallMax, 1, 4)
        draw(\.callsInFlightMax, 1, 2)
        draw(\.writeThroughsInFlightMax, 1, 2)
        draw(\.batchChangesMax, 1, 8)
        draw(\.localRateUsersMax, 1, 3)
        draw(\.repairsMax, 1, 8)
        draw(\.repairsUntoldMax, 1, 4)
        draw(\.repairsMendedMax, 1, 4)
        draw(\.tendItemsMax, 1, 4)
        draw(\.lanesPerSurvey, 1, 2)
        draw(\.batchesPerLane, 1, 20)
        draw(\.doubtsMax, 1, 3)
        draw(\.tellingsMax, 1, 3)
        draw(\.recentCountersMax, 1, 8)
        draw(\.recentCountersKept, 1, 4)
        draw(\.cacheHandStepsMax, 1, 2)
        return limits
    }
}
