/// Which transactions of the database had ended at some moment, as PostgreSQL's `pg_current_snapshot` says.
package struct DatabaseSnapshot: Hashable, Sendable {
    /// Every transaction below this one had ended. 0: unknown.
    package private(set) var least: Int64
    /// No transaction from this one on had begun.
    package private(set) var next: Int64
    /// The transactions in between that had not ended, in ascending order.
    package private(set) var running: [Int64]

    /// A marker lists at most this many running transactions. With more, it says less.
    package static let runningMax = 32

    /// Unknown: no transaction is known to have ended.
    package static let unknown = DatabaseSnapshot(least: 0)

    /// With more than `Self.runningMax`, the later ones and everything after them count as not begun. Some ended
    /// transactions are then missing, but none is listed as ended that was not.
    package init(least: Int64, next: Int64, running: [Int64]) {
        self.least = least
        let isCut = running.count > Self.runningMax
        self.next = isCut ? running[Self.runningMax] : next
        self.running = isCut ? Array(running[..<Self.runningMax]) : running
    }

    /// If nothing is known about later transactions.
    package init(least: Int64) { self.init(least: least, next: least, running: []) }

    /// What had not ended by one of these moments had not ended by this one. Unknown if there is none.
    package static func common(_ snapshots: [DatabaseSnapshot]) -> DatabaseSnapshot {
        guard let least = snapshots.map(\.least).min(), let next = snapshots.map(\.next).min() else { return .unknown }
        let running = Set(snapshots.flatMap(\.running)).filter { $0 < next }.sorted()
        return DatabaseSnapshot(least: least, next: next, running: running)
    }

    /// As PostgreSQL writes it: `10:20:10,14,15`. nil: not a snapshot.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let least = Int64(parts[0]), let next = Int64(parts[1]), 0 <= least, least <= next
        else {
            return nil
        }
        var running: [Int64] = []
        for word in parts[2].split(separator: ",") {
            guard let transaction = Int64(word), running.last ?? least - 1 < transaction, transaction < next else {
                return nil
            }
            running.append(transaction)
        }
        self.init(least: least, next: next, running: running)
    }

    /// As PostgreSQL writes it; no spaces.
    package var text: String { "\(least):\(next):\(running.map(String.init).joined(separator: ","))" }

    /// Whether the transaction had ended; false if unknown.
    package func hasEnded(_ transaction: Int64) -> Bool {
        transaction < least || transaction < next && !running.contains(transaction)
    }
}
