import LikesStorage

// The reference service, side by side with likesd.
extension Simulation {
    func writeAsReference() {
        guard referenceUntil > now else { return }
        let awake = plan.items.indices.filter { dormantUntil[$0] <= now }
        if let (item, isUp) = databases[0].writeAsReference(awake) {
            if scheduler.chance.hits(percent: 60) {
                // At once as a rule, and now and then after hosts have set the counter.
                let delay = scheduler.chance.skewed(.ms(1), .seconds(8))
                scheduler.after(delay, .referenceCounts, Int32(item), isUp ? 1 : 0)
            } else if scheduler.chance.hits(percent: plan.dormantPercent) {
                // It died before. No later change is to make good what hosts are not told.
                dormantUntil[item] = now + .seconds(45)
            }
        }
        scheduler.after(scheduler.chance.skewed(.ms(5), .seconds(12)), .referenceWrites, 0)
    }

    func countAsReference(_ item: Int, isUp: Bool) { redis.countAsReference(item, by: isUp ? 1 : -1) }
}

extension Postgres {
    /// A like or an unlike in a transaction of its own, with what the triggers do. Where a row is locked, or nothing
    /// can be written, it comes again later: nil.
    func writeAsReference(_ items: [Int]) -> (item: Int, isUp: Bool)? {
        let troubles = [downUntil, hungUntil, readOnlyUntil, schemaUntil, fullUntil, standbyLostUntil]
        let pair = scheduler.chance.below(plan.pairsCount)
        let item = pair % plan.items.count
        guard items.contains(item), troubles.allSatisfy({ $0 <= scheduler.now }), pair != plan.poisonedPair,
            isFree([.pair(pair), .counter(item), .repair(item)])
        else { return nil }
        scheduler.coverage.note(.referenceWrites)
        let isUp = state.likes[pair] == 0
        state.lastTransaction += 1
        state.lastRow += 1
        state.likes[pair] = isUp ? state.lastRow : 0
        note(flip: pair, liked: isUp, host: -1)
        state.counters[item].count += isUp ? 1 : -1
        state.counters[item].version += 1
        note(count: item, host: -1, ups: isUp ? 1 : 0, downs: isUp ? 0 : 1, loggedAt: nil)
        if plan.isReferenceNoted {
            let version = max(state.repairs[item]?.version ?? 0, state.counters[item].version)
            state.repairs[item] = RepairRecord(version: version, notedBy: state.lastTransaction)
        }
        return (item, isUp)
    }
}

extension Redis {
    /// INCR or DECR, whether the key is there or not. Its version stays, and the seal of both fits no more.
    func countAsReference(_ item: Int, by change: Int64) {
        guard downUntil <= scheduler.now, hungUntil <= scheduler.now else { return }
        if let counter = store.counters[item], counter.expiresAt > time {
            store.counters[item]?.value += change
        } else {
            store.counters[item] = Expiring(value: change, expiresAt: .never)
            store.versions[item] = nil
        }
    }
}
