import LikesStorage
import LikesctlCommands

/// The optional index of who likes an item, as `likesctl migrate --likers-index` found or made it.
struct LikersIndex {
    /// A large table takes long.
    private static let timeoutMs: Int64 = 24 * 3_600 * 1_000
    /// How often it is tried while another host makes the index.
    private static let pollMs: Int32 = 500
    /// How long a statement waits for a table at a time, in milliseconds, if changes wait behind it. It waits longer,
    /// the more often it got none, since others may write all the time.
    private static let lockMs: ClosedRange<Int64> = 50...1_000
    /// After so many times it waits twice as long.
    private static let triesAlike = 10

    private let wasThere: Bool

    /// Makes the index unless there is one. Daemons and other clients go on meanwhile. What an attempt left unfinished
    /// is dropped first.
    init(_ connection: borrowing Database) throws(Failure) {
        // Making it waits for the transactions that write, as long as they take.
        try connection.execute("SET statement_timeout = 0")
        try Self.setWait(0, connection)
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
        /// Somebody gave the name to something else.
        let isOther: Bool
        let holdsNoRows: Bool

        init?(_ row: [String?]) {
            guard row.count == 7, let table = row[0], let name = row[1], let fullName = row[2] else { return nil }
            self.table = table
            self.name = name
            self.fullName = fullName
            (isThere, isValid, isOther, holdsNoRows) = (row[3] == "t", row[4] == "t", row[5] == "t", row[6] == "t")
        }
    }

    private static func make(_ connection: borrowing Database) throws(Failure) {
        let parts = try connection.execute(Schema.selectLikersIndexes).compactMap { Part($0) }
        guard let whole = parts.last else { throw Failure(.refused, "there is no table user_likes") }
        if let other = parts.first(where: \.isOther) {
            throw Failure(
                .refused, "\(other.fullName) is there, but it is no index of who likes an item",
                next: "rename it, or drop it if it is of no use, and run this again")
        }
        for part in parts where !part.holdsNoRows {
            if part.isThere, !part.isValid {
                try connection.execute(Schema.dropLikersIndex(part.fullName), timeoutMs: timeoutMs)
            }
            if !part.isValid {
                try connection.execute(Schema.createLikersIndex(part.name, on: part.table), timeoutMs: timeoutMs)
            }
        }
        guard whole.holdsNoRows else { return }
        if !whole.isThere {
            try letPass(Schema.createLikersIndexOfParts(whole.name, on: whole.table), connection)
        }
        for part in parts where !part.holdsNoRows {
            try letPass(Schema.attachLikersIndex(part.fullName, to: whole.fullName), connection)
        }
    }

    /// Runs a statement that waits for all who read or write, with all who come later behind it. So it waits only
    /// briefly, lets them pass, and is tried again.
    private static func letPass(_ statement: String, _ connection: borrowing Database) throws(Failure) {
        let deadlineMs = SystemCalls.nowMs() + Database.statementTimeoutMs
        for tries in 0... {
            try setWait(min(lockMs.upperBound, lockMs.lowerBound << (tries / triesAlike)), connection)
            do {
                try connection.execute(statement)
                return try setWait(0, connection)
            } catch  where error.isLocked && SystemCalls.nowMs() < deadlineMs {
                SystemCalls.pause(ms: pollMs)
            }
        }
    }

    private static func setWait(_ ms: Int64, _ connection: borrowing Database) throws(Failure) {
        try connection.execute("SET lock_timeout = \(ms)")
    }

    var text: String {
        wasThere ? "the index for likers and remove is there already" : "index \(Schema.likersIndexName) made"
    }

    var json: JSON { .object([("was_there", .bool(wasThere))]) }
}
