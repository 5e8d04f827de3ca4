import LikesProtocol

/// What Redis says, as values.
extension ReplyView {
    /// The message of an error.
    var errorText: String? { error.map { RedisError.text($0) } }

    /// The value of a string that is a whole number from 0 to 2^63−1.
    var wholeNumber: Int64? { string.flatMap { $0.withUnsafeBytes { Decimal.parse($0) } } }

    /// The value of a string that is a count: a whole number, perhaps with a minus sign. A counter that was too low
    /// goes below 0 with the next unlike, and hosts tell each other so until it is corrected.
    var count: Int64? { string.flatMap { $0.withUnsafeBytes { Decimal.parseSigned($0) } } }
}

/// Redis' words for what is wrong.
enum RedisError {
    /// Without the place in a script where it occurred: the same trouble must read the same wherever that was.
    static func text(_ words: ArraySlice<UInt8>) -> String {
        let mark = " script: ".utf8
        let place = words.indices.first { words[$0...].starts(with: mark) }
        return ForeignText.shown(words[..<(place ?? words.endIndex)])
    }

    /// Whether an error is about the server, not about the command: it is loading its data, follows another, lost the
    /// one it follows, or lost its scripts. (The command is not repeated on the same connection: what followed it may
    /// have been done already.)
    static func isOfServer(_ error: String) -> Bool {
        ["LOADING", "READONLY", "MASTERDOWN", "NOSCRIPT"].contains { error.hasPrefix($0) }
    }

    /// Redis has no room for it.
    static func isOutOfMemory(_ error: String) -> Bool { error.hasPrefix("OOM") }
}
