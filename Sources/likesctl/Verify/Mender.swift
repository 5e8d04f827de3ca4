import LikesStorage
import LikesctlCommands

/// Takes differences as they are found, mends them if asked to, and has them reported.
///
/// It mends a counter by adding what it lacks, as a batch of likes does. The difference between a counter and its
/// likes is the same before and after every batch, so what was found at one moment is right to add at any other, and no
/// lock is held while likes are counted.
final class Mender {
    /// Counters that one statement mends: it locks their rows for about a millisecond.
    static let batchMax = 100

    private let context: AuditContext
    private var redis: RedisCounters?
    /// With and without a counter's row. A statement locks existing rows before it creates new ones, so one for both
    /// kinds would not lock in the order of items, and might deadlock with a batch of likes.
    private var present: [Difference] = []
    private var missing: [Difference] = []

    init(_ context: AuditContext, _ redis: RedisCounters?) {
        self.context = context
        self.redis = redis
    }

    /// A difference between `counters` and likes.
    func take(_ difference: Difference) throws(Failure) {
        guard context.options.repairs else { return try context.report.found(difference, isMended: nil) }
        guard case .counter(let state, likes: _) = difference.finding else {
            preconditionFailure("a difference in Redis")
        }
        if state == nil { missing.append(difference) } else { present.append(difference) }
        if present.count >= Self.batchMax { try mend(&present) }
        if missing.count >= Self.batchMax { try mend(&missing) }
    }

    /// Mends and reports what is left.
    func flush() throws(Failure) {
        try mend(&present)
        try mend(&missing)
    }

    private func mend(_ differences: inout [Difference]) throws(Failure) {
        guard !differences.isEmpty else { return }
        let batch = differences
        differences = []
        var mended: Set<StoredItem> = []
        _ = try RowLocks(context: context).run(batch) { (batch) throws(Failure) in
            func column(_ value: (Difference) -> Int64?) -> String {
                AuditContext.array(batch) { value($0).map { String($0) } ?? "NULL" }
            }
            let rows = try context.database.numbers(
                AuditStatements.mend,
                AuditContext.parameters(batch.map(\.item)) + [
                    column(\.delta), column { $0.state?.count }, column { $0.state?.version },
                ])
            mended.formUnion((0..<rows.rowCount).compactMap { rows.item($0) })
        }
        // Hosts will set them again, but if none runs, Redis would keep the wrong values.
        if let redis {
            do {
                try redis.forget(mended.map { context.types.text(of: $0) })
            } catch {
                context.report.redisNotChecked(error.reason)
                self.redis = nil
            }
        }
        for difference in batch {
            try context.report.found(difference, isMended: mended.contains(difference.item))
        }
    }
}

extension Difference {
    /// What `counters` said.
    fileprivate var state: CounterState? {
        switch finding {
        case .counter(let state, likes: _), .redis(_, _, let state): state
        case .twice: nil
        }
    }
}
