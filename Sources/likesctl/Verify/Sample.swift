import LikesctlCommands

/// Draws the items of a sample.
enum Sample {
    /// One in this many comes from the likes, so that items whose counter is missing can be found as well.
    private static let fromLikesOneIn = 4
    /// Rows of the drawn pages for each item taken: so that few of the items are neighbours.
    private static let rowsForEach: Double = 20

    /// The items, in order; nil if all are to be checked.
    static func draw(_ context: AuditContext) throws(Failure) -> [StoredItem]? {
        let facts = try TableFacts(context.database)
        let count: Int
        switch context.options.extent {
        case .whole: return nil
        case .items(let items): count = items
        case .percent(let percent):
            let rows = facts.counters > 0 ? facts.counters : try self.count(context)
            let share = (Double(rows) * percent / 100).rounded(.up)
            guard share <= Double(VerifyOptions.sampleMax) else {
                throw Failure(
                    .usage,
                    "--sample: \(percent)% of about \(rows) items is more than \(VerifyOptions.sampleMax), the limit "
                        + "in memory; without --sample all items are checked, in parts")
            }
            count = max(1, Int(share))
        }
        let fromLikes = (count + fromLikesOneIn - 1) / fromLikesOneIn
        var items = Set(try draw(AuditStatements.drawFromLikes, fromLikes, of: facts.likes, context))
        for item in try draw(AuditStatements.drawFromCounters, count, of: facts.counters, context) {
            guard items.count < count else { break }
            items.insert(item)
        }
        return items.sorted()
    }

    private static func count(_ context: AuditContext) throws(Failure) -> Int64 {
        try context.database.numbers("SELECT count(*) FROM counters").number(0, 0) ?? 0
    }

    /// Up to `count` items, from some pages of the table if that is enough.
    private static func draw(
        _ statement: String, _ count: Int, of rows: Int64, _ context: AuditContext
    ) throws(Failure) -> [StoredItem] {
        let percent = rows > 0 ? 100 * rowsForEach * Double(count) / Double(rows) : 100
        for pages in percent < 100 ? [percent, 100] : [100] {
            let found = try context.database.numbers(
                statement, [String(pages), context.types.parameter, String(count)])
            // PostgreSQL's estimate of the table's size may be old, and a type may be rare.
            if pages == 100 || found.rowCount >= count {
                return (0..<found.rowCount).compactMap { found.item($0) }
            }
        }
        return []
    }
}
