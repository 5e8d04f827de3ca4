/// Which transactions of the database had ended by some moment, as PostgreSQL's `pg_current_snapshot` tells.
package struct DatabaseSnapshot: Hashable, Sendable {
    /// Each below this one had ended. 0: not known.
    package private(set) var least: Int64
    /// None from this one on had begun.
    package private(set) var next: Int64
    /// Those in between that had not ended, rising.
    package private(set) var running: [Int64]

    /// A marker tells of so many transactions that were running; of more it says less.
    package static let runningMax = 32

    /// Not known: none is said to have ended.
    package static let unknown = DatabaseSnapshot(least: 0)

    /// Of more than `Self.runningMax` the later ones count as not begun, with all that follow: of those
    /// that had ended some are not told, and none is told that had not.
    package init(least: Int64, next: Int64, running: [Int64]) {
        self.least = least
        let isCut = running.count > Self.runningMax
        self.next = isCut ? running[Self.runningMax] : next
        self.running = isCut ? Array(running[..<Self.runningMax]) : running
    }

    /// Where nothing is known of later ones.
    package init(least: Int64) { self.init(least: least, next: least, running: []) }

    /// As PostgreSQL writes it: `10:20:10,14,15`. nil: it is none.
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

    /// Whether the transaction had ended; false where it is not told.
    package func hasEnded(_ transaction: Int64) -> Bool {
        transaction < least || transaction < next && !running.contains(transaction)
    }
}
