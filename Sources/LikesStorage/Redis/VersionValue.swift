import LikesProtocol

/// The value beside a counter in Redis, `TOKEN.VERSION:SEAL:TOLD`.
///
/// TOLD says when all hosts were last told of the item: a mark, and six digits of Redis' clock in milliseconds, which
/// thus begins anew every 1,000 s. It is not sealed. Whoever changes it can delay a message and nothing else.
package enum VersionValue {
    /// Stands behind the token. Hosts before 0.2 had a colon there, so neither kind takes the other's for its own.
    package static let separator = UInt8(ascii: ".")
    /// Characters of TOLD.
    package static let toldBytes = 7
    /// Hosts were told of this very version.
    package static let toldMark: Character = ":"
    /// Hosts were told of an earlier version. A host owes them this one.
    package static let untoldMark: Character = "!"
    /// Instead of the digits: hosts were never told.
    package static let never = "------"
    /// Its clock begins anew after so many milliseconds.
    package static let clockMs: Int64 = 1_000_000

    /// TOLD for a moment of Redis' clock; nil: never.
    package static func told(atMs moment: Int64?, isUntold: Bool) -> String {
        let digits = moment.map { moment in
            let text = String((moment % clockMs + clockMs) % clockMs)
            return String(repeating: "0", count: never.utf8.count - text.utf8.count) + text
        }
        return "\(isUntold ? untoldMark : toldMark)\(digits ?? never)"
    }
}

extension SealedCounter {
    /// `value`: what stands behind the token and its separator, TOLD included. nil: not a version of likesd's.
    package init?(item: Item, count: Int64, value: UnsafeRawBufferPointer) {
        guard value.count > VersionValue.toldBytes else { return nil }
        let word = UnsafeRawBufferPointer(rebasing: value[..<(value.count - VersionValue.toldBytes)])
        self.init(item: item, count: count, word: word)
    }
}

extension Generation {
    /// The token and its separator: how the versions of this generation's counters begin.
    package var versionPrefix: [UInt8] { Array(token.utf8) + [VersionValue.separator] }
}
