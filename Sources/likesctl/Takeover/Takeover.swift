import LikesProtocol
import LikesSettings
import LikesStorage
import LikesctlCommands

/// `likesctl migrate --adopt` and what follows it: the take-over of the reference service's tables, in place.
/// docs/design/take-over.md has the states and the steps.
struct Takeover {
    enum State {
        /// The reference's tables, untouched or partly taken over.
        case reference
        /// Taken over; both may write, or only likesd.
        case sideBySide, finished
    }

    let session: TakeoverSession
    let configuration: Configuration
    let options: TakeoverOptions
    /// The configured types, with the numbers that the command line gives them.
    let types: TypeNaming
    let json: Bool

    var database: Database { _read { yield session.database } }
    var report: TakeoverReport { session.report }

    /// Does it, prints what it does, and returns the exit status.
    static func run(
        _ configuration: Configuration, _ options: MigrateOptions, json: Bool
    ) throws(Failure) -> ExitStatus {
        let report = TakeoverReport(json: json)
        defer { report.closeLine() }
        let session = try TakeoverSession(configuration, options.takeover, report)
        let types = TypeNaming(configuration.itemTypes, options.types)
        let takeover = Takeover(
            session: session, configuration: configuration, options: options.takeover, types: types, json: json)
        StopNotice.watch()
        do throws(Failure) {
            switch takeover.options.task {
            case .adopt, nil: return try takeover.adopt()
            case .finish: return try takeover.finish()
            case .undo: return try takeover.undo()
            }
        } catch {
            throw session.explained(error)
        }
    }

    // MARK: States

    func state() throws(Failure) -> State {
        if try session.holds(Schema.hasReference) { return .reference }
        try database.refuseIfBarred()
        guard try session.holds(Schema.hasVersion) else {
            guard try session.holds(Schema.hasTables) else {
                throw Failure(
                    .refused, "the database \(database.name) has no tables of the reference service",
                    next: "name the reference's database in DATABASE_URL; for tables of likesd's own, "
                        + session.advice.likesctlAgain(.migrate).sequel)
            }
            throw Failure(
                .refused,
                "the tables of the database \(database.name) are neither the reference service's nor likesd's",
                next: Schema.whenVersionLost)
        }
        guard let version = try database.execute(Schema.selectVersion).first?.first.flatMap({ $0 }).flatMap({ Int($0) })
        else { throw Failure(.refused, "the table likesd_schema has no row", next: Schema.whenLost("likesd_schema")) }
        guard version <= Schema.version else {
            throw Failure(
                .newerSchema,
                "the schema has version \(version), this likesctl knows \(Schema.version): nothing was changed",
                next: "upgrade likesd on this host")
        }
        guard version == Schema.version else {
            throw Failure(
                .refused, "the schema has version \(version), \(Schema.version) is needed",
                next: session.advice.likesctlAgain(.migrate).text)
        }
        guard try hasRecord() else {
            throw Failure(
                .refused,
                "the tables of the database \(database.name) are likesd's own: there is nothing to take over or to "
                    + "give back")
        }
        return try session.holds(Schema.isSideBySide) ? .sideBySide : .finished
    }

    /// Whether a take-over was begun.
    func hasRecord() throws(Failure) -> Bool {
        try session.holds("SELECT to_regclass('likesd_adoption') IS NOT NULL")
    }

    private func owner() throws(Failure) -> String {
        guard let home = session.home else { throw Failure(.refused, "the tables are gone") }
        return home.owner
    }

    // MARK: --adopt

    private func adopt() throws(Failure) -> ExitStatus {
        var status = ExitStatus.ok
        switch try state() {
        case .reference: status = try takeOver()
        case .finished:
            try nameTypes()
            try beside()
            report.warn(
                Warning(
                    message: "hosts were not told of what the reference service may have written since --adopt-finish",
                    next: "if it has written anything: likesctl verify --repair"))
        case .sideBySide:
            try nameTypes()
            try report.done("side by side already")
        }
        let others = options.dropsIndexes ? try otherSessions() : ""
        if !others.isEmpty {
            report.warn(
                Warning(
                    message: "\(Self.connected(others)): the indexes stay",
                    next: "once the reference service has stopped: likesctl migrate --adopt-finish --drop-indexes"))
        }
        if try !tellIndexes(others) { status = status == .ok ? .incomplete : status }
        try warnOfNumbers()
        try report.end(
            "side-by-side",
            "side by side in database \(database.name): the reference service and likesd may both write; to end that: "
                + "likesctl migrate --adopt-finish", database: database.name)
        return status
    }

    private func takeOver() throws(Failure) -> ExitStatus {
        let columns = try SharedColumns(session)
        try columns.check()
        let sums = try lookAtRows()
        try checkTypes(sums)
        try makeTables()
        try addItemTypes(sums)
        try beside()
        try countNulls(sums)
        try columns.adapt { () throws(Failure) in _ = try lookAtRows() }
        let status = try CounterMending(session, configuration, json: json).run { (numbers) throws(Failure) in
            // The reference may have begun with one before there were triggers.
            try noteTypes(numbers)
        }
        try end()
        return status
    }

    /// Looks at all rows of both tables, and refuses if somebody has to correct some first.
    private func lookAtRows() throws(Failure) -> UnheldSums {
        var sums = UnheldSums()
        for table in Schema.sharedTables {
            try pages(of: table) { (places, percent) throws(Failure) in
                for row in try database.execute(TakeoverStatements.look(at: table), places) { sums.add(row, of: table) }
                report.progress("\(table): \(percent) % looked at")
            }
        }
        for rows in sums.rows { try report.found(rows) }
        let obstacles = sums.rows.filter(\.isObstacle)
        guard !obstacles.isEmpty else { return sums }
        throw Failure(
            .refused, "\(obstacles.obstacle), which likesd cannot hold: the rows are as they were",
            next: "\(obstacles.remedy); then run this again")
    }

    /// Pages of a table that one statement looks at: some ten thousand rows.
    private static let pagesPerSlice: Int64 = 256

    /// Calls `body` with the places of each slice, and how much is done with it.
    private func pages(
        of table: String, _ body: (_ places: [String], _ percent: Int64) throws(Failure) -> Void
    ) throws(Failure) {
        let pages =
            try database.execute(TakeoverStatements.pages(of: table)).first?.first.flatMap { $0 }
            .flatMap { Int64($0) } ?? 0
        for page in stride(from: 0, to: pages, by: Int(Self.pagesPerSlice)) {
            let end = min(page + Self.pagesPerSlice, pages)
            try body(["(\(page),0)", "(\(end),0)"], 100 * end / pages)
        }
    }

    private func makeTables() throws(Failure) {
        let owner = try owner()
        try session.briefly([]) { () throws(Failure) in
            if try !hasRecord() {
                for statement in Schema.adoptionStatements(owner: owner) { try database.execute(statement) }
                try database.execute(Schema.recordIndexes)
            }
            try rehearse(owner)
        }
        try report.done("likesd's own tables are there")
    }

    /// Refuses what no later step makes fit, such as a foreign key that deletes likes, before triggers are made and
    /// likes counted.
    private func rehearse(_ owner: String) throws(Failure) {
        try database.execute("SAVEPOINT rehearsal")
        for statement in Schema.adoptionEnd(owner: owner) { try database.execute(statement) }
        let misfits = try database.misfits()
        try database.execute("ROLLBACK TO SAVEPOINT rehearsal")
        try refuse(misfits.first { !$0.isOfRole && !isToCome($0) })
    }

    /// It is what a later step is for.
    private func isToCome(_ misfit: SchemaMisfit) -> Bool {
        switch misfit.kind {
        case .noColumn: misfit.name == "counters" && misfit.object == "version"
        case .nullable, .noDefault: Schema.sharedTables.contains(misfit.name)
        case .version, .elsewhere, .noTable, .noPlainTable, .noPartition, .inherited, .foreign, .unlogged, .columnType,
            .generated, .unknownColumn, .noKey, .noRight, .trigger, .rule, .rowSecurity, .cascade:
            false
        }
    }

    private func refuse(_ misfit: SchemaMisfit?) throws(Failure) {
        guard let misfit else { return }
        throw Failure(
            .refused, misfit.text,
            next: "\(misfit.remedy.text(auditing: { session.advice.likesctlAgain($0).sequel })); then run this again")
    }

    /// From here on likesd may write beside the reference.
    private func beside() throws(Failure) {
        let owner = try owner()
        if try !session.holds(Schema.isSideBySide) {
            try session.briefly([.alone("counters")]) { () throws(Failure) in
                for statement in Schema.besideStatements(owner: owner) { try database.execute(statement) }
            }
        }
        try report.done("counters has a version, which two triggers raise for the reference")
    }

    /// A null stays null, whatever is added to it. What is missing is added with what all other counters lack.
    private func countNulls(_ sums: UnheldSums) throws(Failure) {
        guard sums.rows(.nullCount, of: "counters") > 0 else { return }
        var counted: Int64 = 0
        try pages(of: "counters") { (places, percent) throws(Failure) in
            let row = try database.execute(TakeoverStatements.countNulls, places).first
            counted += row?.first.flatMap { $0 }.flatMap { Int64($0) } ?? 0
            report.progress("counters: \(percent) % looked at")
        }
        let verbs = counted == 1 ? ("was", "begins", "is") : ("were", "begin", "are")
        try report.done(
            "\(Counted.text(counted, "count")) that \(verbs.0) null \(verbs.1) with 0, and \(verbs.2) counted again")
    }

    /// The row that makes likesd use the tables, if they fit.
    private func end() throws(Failure) {
        let owner = try owner()
        try session.briefly([]) { () throws(Failure) in
            guard try !session.holds(Schema.hasVersion) else { return }
            for statement in Schema.adoptionEnd(owner: owner) { try database.execute(statement) }
            try refuse(try database.misfits().first { !$0.isOfRole })
        }
        try report.done("schema at version \(Schema.version)")
    }
}
