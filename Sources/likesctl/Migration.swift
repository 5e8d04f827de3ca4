import LikesHost
import LikesProtocol
import LikesSettings
import LikesStorage
import LikesctlCommands

/// Brings the schema to the version that this code needs, and reports what it did.
struct Migration {
    private(set) var database = ""
    /// 0: there was none.
    private(set) var versionBefore = 0
    /// nil: not looked at, since `item_types` hides rows.
    private(set) var typesAdded: [String]?
    /// nil: it was not asked for.
    private(set) var likersIndex: LikersIndex?
    /// What is wrong with the tables all the same: migrating makes what a version adds, not what somebody removed.
    private(set) var misfits: [SchemaMisfit] = []
    /// The reference service may write to the tables as well.
    private var isSideBySide = false
    private let partitions: Partitions?
    private let advice: Advice
    private var warnings: [Warning] = []

    /// Runs the missing steps in one transaction: of several hosts at once, one runs all of them, and the others find
    /// them done. Safe to repeat. If partitions are asked for, and `user_likes` exists without them, nothing is done.
    init(_ configuration: Configuration, _ options: MigrateOptions, json: Bool) throws(Failure) {
        let partitions = options.partitions
        self.partitions = partitions
        advice = Advice(configuration, on: HostFacts.measured())
        var warnings: [Warning] = []
        let connection = try Database.connected(configuration, for: .migrate) { warning in
            warnings.append(warning)
            if !json { warning.tell() }
        }
        self.warnings = warnings
        database = connection.name
        // In the server, so that it reports a statement that waits, which then leaves nothing behind.
        try connection.execute("SET lock_timeout = \(Database.statementTimeoutMs)")
        try connection.execute("SET statement_timeout = \(Database.statementTimeoutMs)")
        try connection.execute("SET client_min_messages = warning")
        do throws(Failure) {
            versionBefore = try Self.bringUp(connection, partitions, advice)
            isSideBySide = try connection.execute(Schema.isSideBySide).first?.first == "t"
            misfits = try connection.misfits().filter { !$0.isOfRole }
            // Where a table hides rows, the types that it lacks may only be hidden.
            if !misfits.contains(where: { $0.name == "item_types" && $0.hidesRows }) {
                let types = TypeNaming(configuration.itemTypes, options.types)
                typesAdded = try types.run(connection) { [advice] in advice.likesctlAgain(.migrate, with: $0).text }
            }
            if options.makesLikersIndex { likersIndex = try LikersIndex(connection) }
        } catch {
            throw MigrationRights.explained(error, connection)
        }
    }

    /// Runs the steps, and returns the previous version.
    private static func bringUp(
        _ connection: borrowing Database, _ partitions: Partitions?, _ advice: Advice
    ) throws(Failure) -> Int {
        try begin(connection)
        try connection.execute(Schema.migrationLock)
        let version = try self.version(connection, advice)
        guard version <= Schema.version else {
            throw Failure(
                .newerSchema,
                "the schema has version \(version), this likesctl knows \(Schema.version): nothing was changed",
                next: "upgrade likesd on this host")
        }
        if partitions != nil, version > 0, let misfit = try missingPartition(connection) {
            throw Failure(
                .refused, "\(misfit.text)\nNothing was changed.", next: remedy(misfit, advice))
        }
        if let partitions, version > 0, try connection.execute(partitions.isLaidOut).first?.first != "t" {
            throw Failure(.refused, "\(partitions.refusal)\nNothing was changed.", next: Partitions.remedy)
        }
        for migration in Schema.migrations(partitions: partitions) where migration.version > version {
            for statement in migration.statements { try connection.execute(statement) }
            try connection.execute(Schema.updateVersion, [String(migration.version)])
        }
        try connection.execute("COMMIT")
        return version
    }

    /// Tables that lack a part of the likes have no valid layout.
    private static func missingPartition(_ connection: borrowing Database) throws(Failure) -> SchemaMisfit? {
        guard try connection.execute(Partitions.isIncomplete).first?.first == "t" else { return nil }
        return try connection.misfits().first { $0.kind == .noPartition }
    }

    private static func remedy(_ misfit: SchemaMisfit, _ advice: Advice) -> String {
        misfit.remedy.text(auditing: { advice.likesctlAgain($0).sequel })
    }

    private static func version(_ connection: borrowing Database, _ advice: Advice) throws(Failure) -> Int {
        // Not asked before the lock: the session would go on believing that there is no table.
        guard try connection.execute(Schema.hasVersion).first?.first == "t" else {
            try connection.refuseIfBarred()
            guard try connection.execute(Schema.hasReference).first?.first != "t" else {
                throw Failure(
                    .refused, "\(Schema.referenceMisfit(connection.name))\nNothing was changed.",
                    next: advice.likesctlAgain(.adopt).text)
            }
            return 0
        }
        guard let version = try connection.execute(Schema.selectVersion).first?.first??.asNumber else {
            throw Failure(
                .refused, "the table likesd_schema has no row: the schema's version is unknown",
                next: "restore it, or begin with an empty database")
        }
        return version
    }

    /// A read from before the lock was acquired must not count afterwards, whatever the database's own default is.
    static func begin(_ connection: borrowing Database) throws(Failure) {
        try connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
    }

    // MARK: What it did

    /// As for `verify`.
    var status: ExitStatus { misfits.isEmpty ? .ok : .differences }

    /// One to three lines, and one for each misfit.
    var text: String {
        let done =
            switch versionBefore {
            case Schema.version: "already at version \(Schema.version)"
            case 0: "schema created at version \(Schema.version)"
            default: "schema upgraded from version \(versionBefore) to \(Schema.version)"
            }
        let added = typesAdded.map { $0.isEmpty ? "" : "item types added: \($0.joined(separator: ", "))\n" }
        let layout = partitions.map { "user_likes has \($0.count) partitions\n" } ?? ""
        let wrong = misfits.map { "\($0.line(Self.remedy($0, advice)))\n" }.joined()
        let index = likersIndex.map { "\($0.text)\n" } ?? ""
        let beside = isSideBySide ? Self.sideBySide : ""
        return "\(done) in database \(database)\n\(layout)\(beside)\(added ?? Self.typesNotAdded)\(index)\(wrong)"
    }

    private static let sideBySide =
        "side by side with the reference service: likesctl migrate --adopt-finish ends that\n"

    private static let typesNotAdded =
        "item types not added: item_types cannot be read as it is; run this again once that is corrected\n"

    var json: JSON {
        .object(
            [
                ("database", .string(database)), ("from", .integer(Int64(versionBefore))),
                ("to", .integer(Int64(Schema.version))),
                ("item_types_added", typesAdded.map { .array($0.map { .string($0) }) } ?? .null),
                ("side_by_side", .bool(isSideBySide)),
                ("misfits", .array(misfits.map { $0.json(Self.remedy($0, advice)) })),
                ("warnings", .array(warnings.map(\.members))),
            ] + (partitions.map { [("partitions", .integer(Int64($0.count)))] } ?? [])
                + (likersIndex.map { [("likers_index", $0.json)] } ?? []))
    }
}

extension String {
    fileprivate var asNumber: Int? { Int(self) }
}
