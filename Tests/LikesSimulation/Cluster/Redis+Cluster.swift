import LikesCore
import LikesStorage

// A Redis that is one node of a cluster.
extension Redis {
    /// Where a command on a key leads.
    enum Reach {
        case here
        case elsewhere(RedisRedirect?)

        var isHere: Bool { if case .here = self { true } else { false } }
    }

    var isWorking: Bool { downUntil <= scheduler.now && hungUntil <= scheduler.now }

    /// It is cut off from the others for so long that it serves nothing any more.
    var refusesAll: Bool {
        guard let member = cluster?.members[number] else { return false }
        return member.isolatedUntil > scheduler.now && member.failsFrom <= scheduler.now
    }

    /// By the rules of a cluster, one command, within a script or not.
    func reach(_ key: StoredKey, isAsking: Bool = false) -> Reach {
        guard let cluster else { return .here }
        if refusesAll { return missed(nil) }
        let piece = cluster.pieces.piece(of: key)
        let member = cluster.members[number]
        let owner = member.owners[piece]
        if owner == number, cluster.isPrimary(number) {
            guard let target = member.migrating[piece], !has(key) else { return .here }
            return missed(redirect(to: target, isAsk: true))
        }
        if isAsking, member.importing[piece] != nil { return .here }
        return missed(redirect(to: owner, isAsk: false))
    }

    private func missed(_ redirect: RedisRedirect?) -> Reach {
        hasMoved = true
        scheduler.coverage.note(.elsewhere)
        return .elsewhere(redirect)
    }

    private func redirect(to node: Int, isAsk: Bool) -> RedisRedirect {
        RedisRedirect(host: Cluster.host(node), port: Cluster.port, isAsk: isAsk)
    }

    /// Both keys of a counter. If only one of them is here, it goes.
    func hasReach(item: Int, unlinks: Bool = false) -> Bool {
        guard cluster != nil else { return true }
        let (counter, version) = (reach(.counter(item)), reach(.version(item)))
        if counter.isHere, version.isHere { return true }
        guard unlinks else { return false }
        if counter.isHere { store.evict(.counter(item)) }
        if version.isHere { store.evict(.version(item)) }
        return false
    }

    // MARK: Keys

    func has(_ key: StoredKey) -> Bool {
        switch key {
        case .counter(let item): store.counter(item, at: time) != nil
        case .version(let item): store.version(item, at: time) != nil
        case .recent(let user): store.recent[user].map { $0.expiresAt > time && $0.value != 0 } ?? false
        case .rate(let user): store.rates[user].map { $0.expiresAt > time } ?? false
        case .marker(let slot): store.markers[slot] != nil
        }
    }

    /// Those there are of the piece.
    func keys(in piece: Int) -> [StoredKey] {
        guard let cluster else { return [] }
        return store.keys.filter { cluster.pieces.piece(of: $0) == piece && has($0) }
    }

    /// MIGRATE. False: the other one has such a key.
    func move(_ key: StoredKey, to other: Redis, replaces: Bool) -> Bool {
        guard replaces || !other.has(key) else { return false }
        let shift = other.time - time
        func moved<Value>(_ entry: Expiring<Value>?) -> Expiring<Value>? {
            entry.map { Expiring(value: $0.value, expiresAt: $0.expiresAt + shift) }
        }
        switch key {
        case .counter(let item): other.store.counters[item] = moved(store.counters[item])
        case .version(let item): other.store.versions[item] = moved(store.versions[item])
        case .recent(let user): other.store.recent[user] = moved(store.recent[user])
        case .rate(let user): other.store.rates[user] = moved(store.rates[user])
        case .marker(let slot): other.store.markers[slot] = store.markers[slot]
        }
        store.evict(key)
        return true
    }

    /// Drops what belongs to other nodes, as whoever starts a node with old data has to.
    func keepOwn() {
        guard let cluster else { return }
        for key in store.keys {
            let piece = cluster.pieces.piece(of: key)
            if !cluster.owns(number, piece) { store.evict(key) }
        }
    }

    /// Has what the other one had: all of it, or all but its last writes.
    func copy(_ other: Redis, isWhole: Bool) {
        var copied = other.store
        if !isWhole, let last = other.lastSnapshot { copied = last }
        let shift = time - other.time
        func shifted<Value>(_ all: [Expiring<Value>?]) -> [Expiring<Value>?] {
            all.map { entry in entry.map { Expiring(value: $0.value, expiresAt: $0.expiresAt + shift) } }
        }
        copied.counters = shifted(copied.counters)
        copied.versions = shifted(copied.versions)
        copied.recent = shifted(copied.recent)
        copied.rates = shifted(copied.rates)
        store = copied
    }
}
