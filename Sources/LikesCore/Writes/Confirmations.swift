/// Likes whose hint "liked already" PostgreSQL is asked to confirm, and what is held behind each: later changes of the
/// same item and connection, which must not overtake it.
struct Confirmations {
    /// Likes that are being confirmed.
    private(set) var count = 0
    private var held: [ChangeIndex: [ChangeIndex]] = [:]

    /// Likes that have changes held behind them.
    var heldCount: Int { held.count }

    mutating func begin() { count += 1 }

    mutating func hold(_ index: ChangeIndex, behind earlier: ChangeIndex) { held[earlier, default: []].append(index) }

    /// The confirmation ended, in whatever way. Returns the changes held behind the like, in order.
    mutating func end(_ index: ChangeIndex) -> [ChangeIndex] {
        count -= 1
        return release(behind: index)
    }

    /// The like's deadline passed while PostgreSQL is still being asked. The changes held behind it go ahead, or later
    /// changes of the connection would overtake them.
    mutating func release(behind index: ChangeIndex) -> [ChangeIndex] {
        held.isEmpty ? [] : held.removeValue(forKey: index) ?? []
    }

    func checkInvariants(_ changes: Changes) {
        precondition(count >= 0 && held.count <= count, "changes are held behind likes that are being confirmed")
        for (earlier, behind) in held {
            guard case .confirming = changes[earlier].stage else { preconditionFailure("held behind no confirmation") }
            for index in behind {
                guard case .held = changes[index].stage else { preconditionFailure("held, in another stage") }
                precondition(OwnItem(changes[index]) == OwnItem(changes[earlier]), "held behind another item")
            }
        }
    }
}
