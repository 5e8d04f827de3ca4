import LikesctlCommands

/// Likes that are stored more than once in `user_likes`, which is possible only if its key is missing.
struct LikesTwice {
    /// Likes that one statement sorts: users are divided into parts accordingly.
    static let likesPerStatement: Int64 = 20_000_000
    /// Pairs that one statement returns, and that are held in memory.
    static let pairsMax = 10_000
    /// Copies of one pair that are removed at once; the next run removes the rest.
    static let copiesMax = 100
    /// Statements in all. With more duplicates the table was loaded twice, and must be corrected as a whole.
    static let statementsMax = 1_000
    /// There is no faster way to ask: a pair may be stored anywhere, and there is no index.
    static let statementMs: Int64 = 3_600_000

    private struct Found {
        var difference: Difference
        /// As returned: user, item and type; tables, places and times of the surplus.
        var parameters: [String]
        var extraCount: Int64
    }

    private let context: AuditContext
    private let parts: Int64

    init(_ context: AuditContext) throws(Failure) {
        self.context = context
        parts = max(1, try TableFacts(context.database).likes / Self.likesPerStatement + 1)
    }

    /// Looks for them, and removes all but the oldest if asked to.
    func audit() throws(Failure) {
        guard context.misfits.contains(where: { $0.kind == .noKey && $0.name == "user_likes" }) else { return }
        try context.database.execute("SET statement_timeout = \(Self.statementMs)")
        var statements = 0
        for part in 0..<parts {
            var after = ["\(Int64.min)", "\(Int64.min)", "\(Int16.min)"]
            while true {
                guard statements < Self.statementsMax else { return try giveUp() }
                statements += 1
                context.report.progress("likes stored twice: part \(part + 1) of \(parts)")
                let found = try self.found(part, after: after)
                guard let last = found.last else { break }
                for one in found { try take(one) }
                after = Array(last.parameters[..<3])
            }
        }
        try context.database.execute("SET statement_timeout = \(Database.statementTimeoutMs)")
    }

    private func giveUp() throws(Failure) {
        try context.database.execute("SET statement_timeout = \(Database.statementTimeoutMs)")
        context.report.notCompared(
            "more than \(Self.statementsMax * Self.pairsMax) likes may be stored twice",
            next: "load user_likes again, with its key")
    }

    private func found(_ part: Int64, after: [String]) throws(Failure) -> [Found] {
        let rows = try context.database.execute(
            AuditStatements.standingTwice,
            [String(parts), String(part), context.types.parameter] + after
                + [String(Self.pairsMax), String(Self.copiesMax)],
            timeoutMs: Self.statementMs)
        return rows.compactMap { row in
            let texts = row.compactMap { $0 }
            guard texts.count == 7, let user = Int64(texts[0]), let id = Int64(texts[1]), let type = Int16(texts[2]),
                let copies = Int64(texts[3])
            else { return nil }
            let difference = Difference(
                item: StoredItem(id: id, type: type), finding: .twice(user: user, copies: copies))
            return Found(
                difference: difference, parameters: Array(texts[..<3] + texts[4...]),
                extraCount: min(copies - 1, Int64(Self.copiesMax)))
        }
    }

    private func take(_ found: Found) throws(Failure) {
        guard context.options.repairs else { return try context.report.found(found.difference, isMended: nil) }
        var removed: Int64 = 0
        _ = try RowLocks(context: context).run([found]) { (batch) throws(Failure) in
            for one in batch {
                let rows = try context.database.numbers(AuditStatements.removeCopies, one.parameters)
                removed += rows.number(0, 0) ?? 0
            }
        }
        guard case .twice(_, let copies) = found.difference.finding else { return }
        // If there are more copies than fit, the next run finds the pair again and removes the rest.
        try context.report.found(found.difference, isMended: removed == found.extraCount && removed == copies - 1)
    }
}
