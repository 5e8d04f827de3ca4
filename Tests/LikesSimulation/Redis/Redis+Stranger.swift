import LikesStorage

/// What somebody has seen in Redis, and may put back.
struct Overheard {
    var counters: [(item: Int, count: Int64, version: StoredVersion)] = []
    var messages: [(token: String, counters: [SealedCounter])] = []
    var markers: [Generation] = []
    var lastMarker: Generation?
    /// All that hosts wrote.
    var genuine: Set<SealedCounter> = []

    static let most = 60

    mutating func keep<Value>(_ value: Value, in list: WritableKeyPath<Overheard, [Value]>, _ chance: inout Chance) {
        if self[keyPath: list].count < Self.most {
            self[keyPath: list].append(value)
        } else if chance.hits(percent: 30) {
            self[keyPath: list][chance.below(Self.most)] = value
        }
    }
}

// A stranger who may read and write everything in Redis, and knows all of likesd but the secret.
extension Redis {
    /// One act.
    func strangerActs() {
        guard downUntil <= scheduler.now, hungUntil <= scheduler.now else { return }
        scheduler.coverage.note(.strangerActs)
        let place = scheduler.chance.below(plan.items.count)
        switch scheduler.chance.below(20) {
        case 0..<4: publish(token: store.marker?.token ?? "", [forged(place)])
        case 4..<7:
            guard let message = chosen(overheard.messages) else { return }
            publish(token: message.token, message.counters)
        case 7..<10: put(forged(place), at: place)
        case 10..<16:
            guard var old = chosen(overheard.counters) else { return }
            if scheduler.chance.hits(percent: 30) { old.version.zeros = 1 + scheduler.chance.below(15) }
            old.version = toldSometime(old.version)
            store.counters[old.item] = Expiring(value: old.count, expiresAt: time + .seconds(600))
            store.versions[old.item] = Expiring(value: old.version, expiresAt: time + .seconds(600))
        case 16..<18: evict(item: place)
        default: store.marker = forgedMarker()
        }
    }

    private func chosen<Value>(_ values: [Value]) -> Value? {
        values.isEmpty ? nil : values[scheduler.chance.below(values.count)]
    }

    private func put(_ sealed: SealedCounter, at place: Int) {
        let version = toldSometime(
            StoredVersion(token: store.marker?.token ?? "", version: sealed.counter.version, seal: sealed.seal))
        store.counters[place] = Expiring(value: sealed.counter.count, expiresAt: time + .seconds(600))
        store.versions[place] = Expiring(value: version, expiresAt: time + .seconds(600))
    }

    /// As if hosts had been told of it, or not, at any time.
    private func toldSometime(_ version: StoredVersion) -> StoredVersion {
        var version = version
        version.isUntold = scheduler.chance.hits(percent: 50)
        version.toldAt =
            scheduler.chance.hits(percent: 80) ? time + scheduler.chance.between(-Micros.ms(40), .ms(40)) : nil
        return version
    }

    /// Something in it is not what a host has sealed.
    private func forged(_ place: Int) -> SealedCounter {
        let known = overheard.counters.filter { $0.item == place }
        let count = 900 + Int64(scheduler.chance.below(90))
        guard !known.isEmpty, scheduler.chance.hits(percent: 70) else {
            let versions: [Int64] = [1, 1_000, 1 << 53 - 1, .max]
            let version = versions[scheduler.chance.below(versions.count)]
            let seal = Seal(seconds: Int64(scheduler.chance.below(1 << 31)), digest: scheduler.chance.next())
            return SealedCounter(
                counter: CounterState(item: plan.items[place], count: count, version: version), seal: seal)
        }
        let old = known[scheduler.chance.below(known.count)]
        var sealed = SealedCounter(
            counter: CounterState(item: plan.items[place], count: old.count, version: old.version.version),
            seal: old.version.seal)
        switch scheduler.chance.below(3) {
        case 0: sealed.counter.count = count
        case 1: sealed.counter.version += 1 + Int64(scheduler.chance.below(1_000))
        default: sealed.seal.seconds += 1 + Int64(scheduler.chance.below(100))
        }
        return sealed
    }

    /// nil: it is deleted. None of other tables: that is taken for another database's, and Redis is left to it for
    /// minutes, which docs/security.md says.
    private func forgedMarker() -> Generation? {
        let tables = overheard.lastMarker?.database.tables
        guard let old = chosen(overheard.markers.filter { $0.database.tables == tables }),
            scheduler.chance.hits(percent: 80)
        else { return nil }
        if scheduler.chance.hits(percent: 30) { return old }
        var database = old.database
        if scheduler.chance.hits(percent: 30) { database.timeline += 1 }
        let isLast = scheduler.chance.hits(percent: 30)
        let generation = Generation(
            server: scheduler.chance.hits(percent: 80) ? serverWord : old.server, database: database,
            era: isLast ? Generation.eraMax : old.era + Int64(scheduler.chance.below(3)), snapshot: old.snapshot,
            token: scheduler.chance.hits(percent: 50) ? old.token : "ffffffffffff")
        // With the proof of another, or none that holds.
        let seal = old.marker.split(separator: " ").last.map(String.init) ?? "0000000000000000"
        return Generation(marker: generation.marker.dropLast() + seal)
    }
}
