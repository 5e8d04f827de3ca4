import LikesProtocol
import LikesStorage
import LikesctlCommands

/// Compares the counters in Redis that likesd believes with `counters`.
///
/// A counter in Redis may be behind while its new value is under way. So what looks wrong is a *suspect*. It is looked
/// at again until it is right, or until `graceMs` have passed and it has not reached the version that PostgreSQL had at
/// the first look.
struct RedisAudit {
    /// How long a write-through and its repairs may take.
    static let graceMs: Int64 = 2_000
    /// Milliseconds between two looks at the suspects.
    private static let lookEveryMs: Int32 = 100
    /// With this many suspects, they are decided before more are looked for.
    static let suspectsMax = 10_000
    /// Differences that are remembered: SCAN may return a key twice.
    private static let reportedMax = 100_000

    /// A counter in Redis, and what PostgreSQL said just afterwards.
    private struct Comparison {
        var cached: RedisCounter
        var state: CounterState?

        /// What is wrong. `reached`: the version that it must have by now.
        func kind(reached: Int64) -> Difference.RedisKind? {
            let version = state?.version ?? 0
            if cached.version > version { return .newer }
            if cached.version == version { return cached.count == state?.count ?? 0 ? nil : .wrong }
            return cached.version < reached ? .stale : nil
        }
    }

    private let context: AuditContext
    private let redis: RedisCounters
    /// The version that PostgreSQL had when the suspect was first looked at.
    private var suspects: [StoredItem: Int64] = [:]
    private var reported: Set<StoredItem> = []
    private let startMs = SystemCalls.nowMs()

    init(_ context: AuditContext, _ redis: RedisCounters) {
        self.context = context
        self.redis = redis
    }

    /// Why it ended early: only Redis failed, or everything.
    enum Stop: Error {
        case redis(RedisTrouble)
        case failure(Failure)
    }

    /// Checks every counter in Redis.
    mutating func auditAll() throws(Stop) {
        let keysCount = try asking { () throws(RedisTrouble) in try redis.keysCount() }
        try redis.scan(
            { (keys: [String]) throws(Stop) in
                var items: [StoredItem] = []
                for key in keys {
                    if let item = context.types.item(of: RedisKeys.counter.name(in: key)) {
                        if context.types.isWanted(item) { items.append(item) }
                    } else {
                        try reporting { () throws(Failure) in
                            try context.report.notBelieved(key, isOfOldGeneration: false)
                        }
                    }
                }
                try look(at: items)
                progress("of at most \(keysCount) keys")
            }, { .redis($0) })
        try decide()
        progress("in all", always: true)
    }

    /// Checks these items' counters in Redis.
    mutating func audit(_ items: [StoredItem]) throws(Stop) {
        for slice in items.slices(of: RedisClient.itemsMax) {
            try look(at: Array(slice))
            progress("of at most \(items.count)")
        }
        try decide()
        progress("in all", always: true)
    }

    private func progress(_ extent: String, always: Bool = false) {
        let compared = context.report.redis.compared
        let rate = VerifyReport.rate(compared, since: startMs)
        context.report.progress(
            "Redis: \(Counted.text(compared, "counter")) \(extent) compared (\(rate)/s)", always: always)
    }

    // MARK: Looking

    private mutating func look(at items: [StoredItem]) throws(Stop) {
        for (item, comparison) in try compare(items, counting: true)
        where comparison.kind(reached: comparison.state?.version ?? 0) != nil {
            suspects[item] = comparison.state?.version ?? 0
        }
        if suspects.count >= Self.suspectsMax { try decide() }
    }

    /// Reads Redis, then PostgreSQL, so PostgreSQL cannot be the older one. `counting`: for the first time.
    private func compare(_ items: [StoredItem], counting: Bool) throws(Stop) -> [(StoredItem, Comparison)] {
        let texts = items.map { context.types.text(of: $0) }
        let readings = try asking { () throws(RedisTrouble) in try redis.read(texts) }
        var cached: [(item: StoredItem, counter: RedisCounter)] = []
        for (place, reading) in readings.enumerated() {
            switch reading {
            case .none: break
            case .foreign, .oldGeneration:
                guard counting else { break }
                let isOld = if case .oldGeneration = reading { true } else { false }
                try reporting { () throws(Failure) in
                    try context.report.notBelieved(RedisKeys.counter.of(texts[place]), isOfOldGeneration: isOld)
                }
            case .counter(let counter): cached.append((items[place], counter))
            }
        }
        if counting { context.report.redis.compared += Int64(cached.count) }
        let states = try states(of: cached.map(\.item))
        return cached.map { ($0.item, Comparison(cached: $0.counter, state: states[$0.item])) }
    }

    private func states(of items: [StoredItem]) throws(Stop) -> [StoredItem: CounterState] {
        var states: [StoredItem: CounterState] = [:]
        for slice in items.slices(of: context.options.sliceRows) {
            try reporting { () throws(Failure) in
                let rows = try context.database.numbers(AuditStatements.states, AuditContext.parameters(slice))
                for row in 0..<rows.rowCount {
                    if let item = rows.item(row), let state = rows.state(row) { states[item] = state }
                }
            }
        }
        return states
    }

    // MARK: Suspects

    /// Looks at the suspects until each is right or its time is up, and reports those that are left.
    private mutating func decide() throws(Stop) {
        let deadlineMs = SystemCalls.nowMs() + Self.graceMs
        while !suspects.isEmpty {
            let isLastLook = SystemCalls.nowMs() >= deadlineMs
            var left: [Difference] = []
            // Before the last look: a host first sets a counter, and then strikes its repair off.
            let awaiting = isLastLook ? try self.awaiting(suspects.keys.sorted()) : []
            for slice in suspects.keys.sorted().slices(of: RedisClient.itemsMax) {
                for (item, comparison) in try compare(Array(slice), counting: false) {
                    guard let kind = comparison.kind(reached: suspects[item] ?? 0) else { continue }
                    left.append(
                        Difference(item: item, finding: .redis(kind, comparison.cached, comparison.state)))
                }
            }
            if isLastLook {
                suspects = [:]
                for slice in left.slices(of: RedisClient.itemsMax) { try report(Array(slice), awaiting) }
            } else {
                let items = Set(left.map(\.item))
                suspects = suspects.filter { items.contains($0.key) }
                if !suspects.isEmpty { SystemCalls.pause(ms: Self.lookEveryMs) }
            }
        }
    }

    /// Those that wait for a repair: likesd does not read them from Redis. What the reference service writes beside
    /// likesd waits so for up to 5 s.
    private func awaiting(_ items: [StoredItem]) throws(Stop) -> Set<StoredItem> {
        var found: Set<StoredItem> = []
        for slice in items.slices(of: RedisClient.itemsMax) {
            try reporting { () throws(Failure) in
                let rows = try context.database.numbers(AuditStatements.noted, AuditContext.parameters(slice))
                found.formUnion((0..<rows.rowCount).compactMap { rows.item($0) })
            }
        }
        return found
    }

    private mutating func report(_ differences: [Difference], _ awaiting: Set<StoredItem>) throws(Stop) {
        var locked: Set<StoredItem> = []
        if context.options.repairs {
            locked = try reporting { () throws(Failure) in Set(try renew(differences).map(\.item)) }
            let texts = differences.filter { !locked.contains($0.item) }.map { context.types.text(of: $0.item) }
            try asking { () throws(RedisTrouble) in try redis.forget(texts) }
        }
        for difference in differences where !reported.contains(difference.item) {
            if awaiting.contains(difference.item) {
                context.report.redis.awaitingRepair += 1
            } else {
                try reporting { () throws(Failure) in
                    try context.report.found(
                        difference, isMended: context.options.repairs ? !locked.contains(difference.item) : nil)
                }
            }
            if reported.count < Self.reportedMax { reported.insert(difference.item) }
        }
    }

    /// Raises the items' versions above Redis'. Returns those whose counters stayed locked.
    private func renew(_ differences: [Difference]) throws(Failure) -> [Difference] {
        try RowLocks(context: context).run(differences) { (differences) throws(Failure) in
            let versions = AuditContext.array(differences) { difference in
                if case .redis(_, let cached, _) = difference.finding { String(cached.version) } else { "0" }
            }
            _ = try context.database.numbers(
                AuditStatements.renew, AuditContext.parameters(differences.map(\.item)) + [versions])
        }
    }

    private func asking<Value>(_ body: () throws(RedisTrouble) -> Value) throws(Stop) -> Value {
        do { return try body() } catch { throw .redis(error) }
    }

    private func reporting<Value>(_ body: () throws(Failure) -> Value) throws(Stop) -> Value {
        do { return try body() } catch { throw .failure(error) }
    }
}
