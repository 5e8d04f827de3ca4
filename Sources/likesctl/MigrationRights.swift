import LikesStorage
import LikesctlCommands

/// Which right the role lacks that migrates. The server's message names neither the right nor, in some languages, the
/// object in words that could be recognised, so the server is asked.
enum MigrationRights {
    /// The failure with the right to grant; as it is if it has another cause, or if that cannot be found out.
    static func explained(_ failure: Failure, _ connection: borrowing Database) -> Failure {
        guard failure.status == .permissionDenied else { return failure }
        var explained = failure
        do throws(Failure) {
            try connection.execute("ROLLBACK")
            guard let next = try next(connection) else { return failure }
            explained.next = next
        } catch {
            // The server's own words are left.
            return failure
        }
        return explained
    }

    private static func next(_ connection: borrowing Database) throws(Failure) -> String? {
        guard let row = try connection.execute(Schema.selectMigrationRights).first, row.count == 5 else { return nil }
        let role = connection.user.sqlName
        let create = row[1] == "t" ? nil : row[0].map { "GRANT CREATE ON SCHEMA \($0) TO \(role)" }
        guard let owner = row[2] else {
            return create.map { "run this as the owner of the schema, or as its owner run: \($0)" }
        }
        if let lacking = row[3] { return grant("\(lacking) ON likesd_schema", to: role, by: owner) }
        let version = try connection.execute(Schema.selectVersion).first?.first.flatMap { $0 }.flatMap { Int($0) }
        if let version, version < Schema.version {
            return "run this as the owner of the tables, \(owner): a role that does not own them may not alter them"
        }
        return row[4].map { grant("\($0) ON item_types", to: role, by: owner) }
    }

    private static func grant(_ rights: String, to role: String, by owner: String) -> String {
        "run this as the owner of the tables, \(owner), or as that role run: GRANT \(rights) TO \(role)"
    }
}
