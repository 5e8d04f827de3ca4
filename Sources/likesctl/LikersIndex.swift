import LikesStorage
import LikesctlCommands

/// The optional index of who likes an item, as `likesctl migrate --likers-index` found or made it.
struct LikersIndex {
    /// A large table takes long.
    private static let timeoutMs: Int64 = 24 * 3_600 * 1_000
    /// How often it is tried while another host makes the index.
    private static let pollMs: Int32 = 500

    private let wasThere: Bool

    /// Makes the index unless there is one. Daemons and other clients go on meanwhile. What an attempt left unfinished
    /// is dropped first.
    init(_ connection: borrowing Database) throws(Failure) {
        // Making it waits for the transactions that write, as long as they take.
        for setting in ["lock_timeout", "statement_timeout"] { try connection.execute("SET \(setting) = 0") }
        try Self.takeTurn(connection)
        wasThere = try connection.execute(Schema.selectHasLikersIndex).first?.first == "t"
        if !wasThere { try Self.make(connection) }
        try connection.execute(Schema.releaseLikersLock)
    }

    private static func takeTurn(_ connection: borrowing Database) throws(Failure) {
        let deadlineMs = SystemCalls.nowMs() + timeoutMs
        while try connection.execute(Schema.takeLikersLock).first?.first != "t" {
            guard SystemCalls.nowMs() < deadlineMs else {
                throw Failure(.timedOut, "another likesctl has been making the index for a day")
            }
            SystemCalls.pause(ms: pollMs)
        }
    }

    /// One table and what it has.
    private struct Part {
        let table: String
        let name: String
        let fullName: String
        let isThere: Bool
        let isValid: Bool
        let holdsNoRows: Bool

        init?(_ row: [String?]) {
            guard row.count == 6, let table = row[0], let name = row[1], let fullName = row[2] else { return nil }
            self.table = table
            self.name = name
            self.fullName = fullName
            (isThere, isValid, holdsNoRows) = (row[3] == "t", row[4] == "t", row[5] == "t")
        }
    }

    private static func make(_ connection: borrowing Database) throws(Failure) {
        let parts = try connection.execute(Schema.selectLikersIndexes).compactMap { Part($0) }
        guard let whole = parts.last else { throw Failure(.refused, "there is no table user_likes") }
        for part in parts where !part.holdsNoRows {
            if part.isThere, !part.isValid {
                try connection.execute(Schema.dropLikersIndex(part.fullName), timeoutMs: timeoutMs)
            }
            if !part.isValid {
                try connection.execute(Schema.createLikersIndex(part.name, on: part.table), timeoutMs: timeoutMs)
            }
        }
        guard whole.holdsNoRows else { return }
        if !whole.isThere { try connection.execute(Schema.createLikersIndexOfParts(whole.name, on: whole.table)) }
        for part in parts where !part.holdsNoRows {
            try connection.execute(Schema.attachLikersIndex(part.fullName, to: whole.fullName))
        }
    }

    var text: String {
        wasThere ? "the index of who likes an item was there" : "index \(Schema.likersIndexName) made"
    }

    var json: JSON { .object([("was_there", .bool(wasThere))]) }
}
