import Glibc
import LikesProtocol
import LikesSettings
import LikesStorage
import LikesctlCommands

/// `likesctl forget` and `likesctl remove`: all likes of a user, or of an item.
///
/// They go as unlikes of a batch go: each step deletes some likes and takes them off the counters in one transaction.
final class Removal {
    /// What is to go.
    enum Subject: Equatable {
        case user(Int64)
        case item(StoredItem, text: String)
    }

    /// Likes in one step.
    private static let likesFirst: Int64 = 1_000
    private static let likes: ClosedRange<Int64> = 10...1_000
    /// How often it looks from the beginning for likes that came meanwhile. After so many times it gives up.
    private static let passesMax = 100
    /// How often all likes are read for an item that goes on being liked.
    private static let scansMax = 3
    /// Pages of the table that one statement reads.
    private static let scanPages: Int64 = 1_000
    private static let countMs: Int64 = 3_600_000

    private let database: Database
    private let options: DataOptions
    private let report: RemovalReport
    private var steps: SmallSteps
    private var pace = HostsPace()
    private var removed: Int64 = 0
    /// At the beginning of the last pass over the likes an import was unfinished.
    private var isImportUnfinished = false

    private init(
        _ database: consuming Database, _ options: DataOptions, _ report: RemovalReport
    ) throws(Failure) {
        steps = try SmallSteps(database, first: Self.likesFirst, sizes: Self.likes)
        self.database = database
        self.options = options
        self.report = report
    }

    static func forget(
        _ user: String, _ configuration: Configuration, _ options: DataOptions, json: Bool
    ) throws(Failure) -> (text: String, status: ExitStatus) {
        guard let number = Int64(user), number >= 0, String(number) == user else {
            throw Failure(
                .usage, "'\(ForeignText.shown(user))' is not a user",
                next: "users are numbers from 0 to \(Int64.max)")
        }
        return try run(.forget, configuration, options, json: json) { (_) throws(Failure) in .user(number) }
    }

    static func remove(
        _ item: String, _ configuration: Configuration, _ options: DataOptions, json: Bool
    ) throws(Failure) -> (text: String, status: ExitStatus) {
        try run(.remove, configuration, options, json: json) { (types) throws(Failure) in
            .item(try types.known(item), text: item)
        }
    }

    private static func run(
        _ command: Command, _ configuration: Configuration, _ options: DataOptions, json: Bool,
        _ subject: (StoredTypes) throws(Failure) -> Subject
    ) throws(Failure) -> (text: String, status: ExitStatus) {
        // A Redis that hangs up must not end the process: hiredis writes to closed sockets.
        signal(SIGPIPE, SIG_IGN)
        let report = RemovalReport(options, json: json)
        defer { report.close() }
        let database = try Database.connected(configuration, for: command) { report.warn($0) }
        try database.prepare(configuration, for: command)
        let subject = try subject(try StoredTypes(database, wanted: []))
        if case .item = subject, !options.scans { try Self.checkIndex(database) }
        try database.execute(RemovalStatements.planLikeABatch)
        let removal = try Removal(database, options, report)
        return try removal.run(subject, configuration)
    }

    private static func checkIndex(_ database: borrowing Database) throws(Failure) {
        guard try database.execute(Schema.selectHasLikersIndex).first?.first != "t" else { return }
        throw Failure(
            .refused, "there is no index by which the likes of an item are found",
            next: "make it with likesctl migrate --likers-index, or add --scan, which reads all likes once")
    }

    private func run(
        _ subject: Subject, _ configuration: Configuration
    ) throws(Failure) -> (text: String, status: ExitStatus) {
        guard !options.isDryRun else { return (report.counted(try count(subject), subject), .ok) }
        let stop = StopSignal()
        do throws(Failure) {
            switch subject {
            case .user: try removePages(subject, stop)
            case .item where !options.scans: try removePages(subject, stop)
            case .item(let item, _): try removeScanning(item, stop)
            }
        } catch {
            // Who has told it to stop does not wait for a step that is tried again and again.
            guard stop.isReceived, SmallSteps.mayGoOn(after: error) else {
                // Some may be gone.
                report.record(subject, removed, isComplete: false)
                throw error
            }
        }
        if let signal = stop.received {
            report.record(subject, removed, isComplete: false)
            report.stopped(subject, removed)
            StopSignal.end(by: signal)
        }
        if isImportUnfinished { report.importMayAdd(subject) }
        if case .user(let user) = subject { forgetInRedis(user, configuration.redis) }
        if case .item(let item, let text) = subject { try checkCounter(item, text) }
        report.record(subject, removed, isComplete: true)
        return (report.finished(subject, removed), report.status)
    }

    // MARK: Removing

    /// From the first like to the last, until there is none.
    private func removePages(_ subject: Subject, _ stop: StopSignal) throws(Failure) {
        for _ in 0..<Self.passesMax {
            try beginPass()
            var last = LikedPair.first
            var found: [LikedPair]
            repeat {
                found = try page(subject, after: last)
                try remove(found, stop)
                guard !stop.isReceived else { return }
                report.progress(removed)
                if let end = found.last { last = end }
            } while found.count == Int(Self.likes.upperBound)
            guard last != .first else { return }
        }
        report.goOnComing(subject)
    }

    private func beginPass() throws(Failure) {
        isImportUnfinished = try database.execute(ImportStatements.hasState).first?.first == "t"
    }

    private func page(_ subject: Subject, after last: LikedPair) throws(Failure) -> [LikedPair] {
        let size = String(Self.likes.upperBound)
        switch subject {
        case .user(let user):
            return try read(
                RemovalStatements.likesOfUser, [String(user), String(last.item.id), String(last.item.type), size])
        case .item(let item, _):
            return try read(
                RemovalStatements.likersOfItem, [String(item.id), String(item.type), String(last.user), size])
        }
    }

    private func read(_ statement: String, _ parameters: [String]) throws(Failure) -> [LikedPair] {
        try SmallSteps.reading(database) { () throws(Failure) in try pairs(database.numbers(statement, parameters)) }
    }

    private func pairs(_ rows: borrowing QueryResult) -> [LikedPair] {
        var pairs: [LikedPair] = []
        for row in 0..<rows.rowCount {
            guard let user = rows.number(row, 0), let id = rows.number(row, 1), let type = rows.number(row, 2) else {
                continue
            }
            pairs.append(LikedPair(user: user, item: StoredItem(id: id, type: Int16(truncatingIfNeeded: type))))
        }
        return pairs
    }

    /// How many of these likes were still there.
    private func unlike(_ pairs: [LikedPair]) throws(Failure) -> Int64 {
        guard !pairs.isEmpty else { return 0 }
        let arrays = [
            AuditContext.array(pairs) { String($0.user) }, AuditContext.array(pairs) { String($0.item.id) },
            AuditContext.array(pairs) { String($0.item.type) },
        ]
        return try database.numbers(RemovalStatements.unlike, arrays).number(0, 0) ?? 0
    }

    /// Reads all likes, in short statements, and removes the item's as they are found.
    private func removeScanning(_ item: StoredItem, _ stop: StopSignal) throws(Failure) {
        for _ in 0..<Self.scansMax {
            try beginPass()
            let before = removed
            let facts = try TableFacts(database)
            for page in stride(from: 0, to: facts.pagesMax, by: Int(Self.scanPages)) {
                let end = min(page + Self.scanPages, facts.pagesMax)
                let found = try read(
                    RemovalStatements.likersInPages,
                    ["(\(page),0)", "(\(end),0)", String(item.id), String(item.type)])
                try remove(found, stop)
                guard !stop.isReceived else { return }
                report.progress(removed, percent: 100 * end / facts.pagesMax)
            }
            // The counter says whether any came meanwhile, unless it is wrong.
            guard removed > before, try count(of: item) > 0 else { return }
        }
        report.goOnComing(.item(item, text: ""))
    }

    private func remove(_ found: [LikedPair], _ stop: StopSignal) throws(Failure) {
        var rest = found[...]
        while !rest.isEmpty, !stop.isReceived {
            try pace.wait(
                database, waiting: { report.waits($0, removed) }, isOver: { stop.isReceived })
            guard !stop.isReceived else { return }
            let taken = try steps.run(
                { (size) throws(Failure) -> Int in
                    let page = rest.prefix(Int(size))
                    removed += try self.unlike(Array(page))
                    return page.count
                }, waiting: { report.waits($0, removed) }, isOver: { stop.isReceived })
            rest = rest.dropFirst(taken)
        }
    }

    // MARK: Counting

    /// How many likes there are now.
    private func count(_ subject: Subject) throws(Failure) -> Int64 {
        try database.execute("SET statement_timeout = 0")
        switch subject {
        case .user(let user):
            return try database.numbers(RemovalStatements.countOfUser, [String(user)]).number(0, 0) ?? 0
        case .item(let item, _):
            if options.scans { try database.execute("SET enable_seqscan = on") }
            return try database.numbers(
                RemovalStatements.countOfItem, [String(item.id), String(item.type)], timeoutMs: Self.countMs
            ).number(0, 0) ?? 0
        }
    }

    /// What the item's counter says.
    private func count(of item: StoredItem) throws(Failure) -> Int64 {
        let rows = try database.numbers(AuditStatements.states, AuditContext.parameters([item]))
        return rows.rowCount == 1 ? rows.number(0, 2) ?? 0 : 0
    }

    private func checkCounter(_ item: StoredItem, _ text: String) throws(Failure) {
        let count = try count(of: item)
        guard count != 0, report.status == .ok else { return }
        report.incomplete(
            Warning(
                message: "the counter of \(text) says \(count), although no like is left",
                next: "likesctl verify --repair, if nobody has liked it meanwhile"))
    }

    // MARK: Redis

    /// What it keeps of a user would go within a day by itself.
    private func forgetInRedis(_ user: Int64, _ endpoint: RedisEndpoint) {
        do {
            try RedisServers(endpoint).remove(
                [RedisKeys.recentLikes.of(String(user)), RedisKeys.rate.of(String(user))])
        } catch {
            report.incomplete(
                Warning(
                    message: "Redis still has what the user liked lately: \(error.reason)",
                    next: "run this again once Redis can be reached; by itself it goes within RECENT_LIKES_TTL"))
        }
    }
}

/// A user's like of an item.
struct LikedPair: Equatable {
    var user: Int64
    var item: StoredItem

    /// No like comes before.
    static let first = LikedPair(user: .min, item: .lowest)
}
