import LikesCore
import LikesProtocol
import LikesStorage

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

    /// Whether a cluster's node says that it does not have a key, or not yet or no more: a script's words, or a
    /// command's.
    static func isElsewhere(_ error: String) -> Bool {
        ["MOVED ", "ASK ", "TRYAGAIN"].contains { error.hasPrefix($0) } || error.contains("non local key")
            || isClusterDown(error)
    }

    /// Whether it serves nothing, or not that slot, since it misses other nodes: nobody else has it either.
    static func isClusterDown(_ error: String) -> Bool {
        error.hasPrefix("CLUSTERDOWN") || error.contains("while the cluster is down")
    }

    /// Of all the words for it one, so that it reads the same whichever command came upon it.
    static let clusterDown =
        "CLUSTERDOWN The cluster is down: redis-cli --cluster check HOST:PORT shows which nodes or slots are missing, "
        + "unless the nodes do not reach each other's bus (port + 10000)"
}

extension RedisRedirect {
    /// From an error's words; nil: it is no redirect, or names no address. `askedHost`: who said it.
    init?(error: String, askedHost: String) {
        guard let redirect = SlotRedirect(error: error, askedHost: askedHost) else { return nil }
        self.init(host: redirect.host, port: redirect.port, isAsk: redirect.isAsk)
    }
}
