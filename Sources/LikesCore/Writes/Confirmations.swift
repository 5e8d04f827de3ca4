import LikesProtocol
import LikesSettings
import LikesStorage
/// Likes that the hint calls duplicates, while PostgreSQL is asked whether they are; and what waits behind each of
/// them: later changes of the same item and connection, which must not overtake it.
struct Confirmations {
    /// Likes that are being confirmed.
    private(set) var count = 0
    private var held: [ChangeIndex: [ChangeIndex]] = [:]

    /// Likes that others are held behind.
    var heldCount: Int { held.count }

    mutating func begin() { count += 1 }

    mutating func hold(_ index: ChangeIndex, behind earlier: ChangeIndex) { held[earlier, default: []].append(index) }

    /// The like is not being confirmed any more, however that ended. Returns what was held behind it, in order.
    mutating func end(_ index: ChangeIndex) -> [ChangeIndex] {
        count -= 1
        return release(behind: index)
    }

    /// The like was answered by its deadline, while PostgreSQL is still asked: what was held goes ahead, or later
    /// changes of the connection would overtake it.
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
