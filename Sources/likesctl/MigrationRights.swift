import LikesStorage
import LikesctlCommands

/// Which right the role lacks that migrates. The server's message names neither the right nor, in some languages, the
/// object in words that could be recognised, so the server is asked. What it says goes into statements to copy, so only
/// names and known rights are taken.
struct MigrationRights {
    /// The schema for new tables.
    private let schema: String
    /// The rights that the role lacks there.
    private let lackedInSchema: String?
    /// The owner of `likesd_schema`; nil: there is no such table.
    private let owner: String?
    /// Whether the role may do what the owner may.
    private let isOwner: Bool
    private let lackedByOwner: String?
    private let lackedOnVersion: String?
    private let lackedOnTypes: String?

    /// A row of `Schema.selectMigrationRights`; nil: not such a row.
    init?(_ row: [String?]) {
        guard row.count == 7, let schema = row[0]?.asSQLName else { return nil }
        let rights = [row[1], row[4], row[5], row[6]]
        let areKnown = rights.allSatisfy { $0.map { Schema.grants.isSuperset(of: Self.words($0)) } ?? true }
        guard areKnown, row[2] == nil || row[2]?.asSQLName != nil else { return nil }
        self.schema = schema
        lackedInSchema = row[1]
        owner = row[2]
        isOwner = row[3] == "t"
        lackedByOwner = row[4]
        lackedOnVersion = row[5]
        lackedOnTypes = row[6]
    }

    private static func words(_ rights: String) -> [String] {
        rights.split(separator: ", ", omittingEmptySubsequences: false).map { String($0) }
    }

    /// What to grant, or who has to run it instead; nil: the reason is another. `version`: the schema's, if the role
    /// may read it.
    func next(role: String, version: Int?) -> String? {
        let role = role.sqlName
        let grant = grantInSchema(lackedInSchema, to: role)
        guard let owner else {
            return grant.map { "run this as the owner of the schema, or as its owner run: \($0)" }
        }
        if let lackedOnVersion { return Self.grant("\(lackedOnVersion) ON likesd_schema", to: role, by: owner) }
        guard version.map({ $0 >= Schema.version }) ?? true else {
            // Some tables are new, others are altered.
            if isOwner { return grant.map { "as the owner of the schema run: \($0)" } }
            let instead =
                "run this as the owner of the tables, \(owner): a role that does not own them may not alter them"
            return grantInSchema(lackedByOwner, to: owner).map {
                "\(instead); that one first needs, from the owner of the schema: \($0)"
            } ?? instead
        }
        return lackedOnTypes.map { Self.grant("\($0) ON item_types", to: role, by: owner) }
    }

    private func grantInSchema(_ rights: String?, to role: String) -> String? {
        rights.map { "GRANT \($0) ON SCHEMA \(schema) TO \(role)" }
    }

    private static func grant(_ rights: String, to role: String, by owner: String) -> String {
        "run this as the owner of the tables, \(owner), or as that role run: GRANT \(rights) TO \(role)"
    }
}

extension MigrationRights {
    /// The failure with the right to grant; as it is if it has another cause, or if that cannot be found out.
    static func explained(_ failure: Failure, _ connection: borrowing Database) -> Failure {
        guard failure.status == .permissionDenied else { return failure }
        var explained = failure
        do throws(Failure) {
            try connection.execute("ROLLBACK")
            // Then that is the failure, and it says what to grant.
            try connection.refuseIfBarred()
            guard let next = try next(connection) else { return failure }
            explained.next = next
        } catch {
            // The failure's own words are left.
            return failure
        }
        return explained
    }

    private static func next(_ connection: borrowing Database) throws(Failure) -> String? {
        guard let row = try connection.execute(Schema.selectMigrationRights).first, let rights = MigrationRights(row)
        else { return nil }
        var version: Int?
        if rights.mayReadVersion {
            version = try connection.execute(Schema.selectVersion).first?.first.flatMap { $0 }.flatMap { Int($0) }
        }
        return rights.next(role: connection.user, version: version)
    }

    private var mayReadVersion: Bool { owner != nil && lackedOnVersion == nil }
}
