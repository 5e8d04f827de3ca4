import Glibc
import LikesHost
import LikesSettings
import LikesStorage
import LikesctlCommands

/// What to do if PostgreSQL refuses.
enum DatabaseFailure {
    /// No connection. libpq gives no code here, only the server's words: if they are not English, the advice is
    /// general.
    static func connecting(
        _ message: String, _ target: DatabaseTarget, _ configuration: Configuration, _ command: Command
    ) -> Failure {
        let refusal = ConnectRefusal(message)
        let status: ExitStatus =
            switch refusal.reason {
            case .noServer, .serverStarting, .tooManyConnections, .noDatabase, .unclear: .unreachable
            case .noRole, .roleMayNotLogIn, .wrongPassword, .noPassword, .otherIdentity, .notLetIn, .noPermission:
                .permissionDenied
            }
        let next = next(refusal.reason, target, configuration, command)
        return Failure(
            status,
            "no connection to \(DatabaseURL.masked(configuration.databaseURL))\n    \(message)", next: next)
    }

    /// The package's system user. The role usually has the same name.
    private static let daemonUser = "likesd"

    private static func next(
        _ reason: ConnectRefusal.Reason, _ target: DatabaseTarget, _ configuration: Configuration, _ command: Command
    ) -> String? {
        var host = HostFacts.measured()
        switch reason {
        // A role named after the user who runs this was hardly meant.
        case .noRole, .otherIdentity:
            guard target.role == host.userName, host.userName != daemonUser, getpwnam(daemonUser) != nil else { break }
            host.userName = daemonUser
            return Advice(configuration, on: host).likesctl(command == .migrate ? .migrate : .verify).text
        case .noServer, .serverStarting, .tooManyConnections, .roleMayNotLogIn, .wrongPassword, .noPassword, .notLetIn,
            .noDatabase, .noPermission, .unclear:
            break
        }
        return Advice(configuration, on: host).connecting(reason, target)
    }

    /// A statement failed, and with it its transaction: none of it was stored.
    static func statement(sqlState: String, _ message: String, user: String, database: String, _ command: Command)
        -> Failure
    {
        var failure = explained(sqlState: sqlState, message, user: user, database: database, command)
        failure.isWorthRepeating = sqlState == "40P01" || sqlState == "40001"
        failure.isLocked = sqlState == "55P03"
        failure.isCancelled = sqlState == "57014"
        failure.isDuplicate = sqlState == "23505"
        return failure
    }

    private static func explained(
        sqlState: String, _ message: String, user: String, database: String, _ command: Command
    ) -> Failure {
        let said = "PostgreSQL refused: \(message) (SQLSTATE \(sqlState))"
        switch sqlState {
        case "42P07", "42710":
            return Failure(
                .refused,
                "\(said)\nThe database \(database) has a table of this name that no migration of likesd made.",
                next:
                    "a restore may be running: wait for it; otherwise name another database in DATABASE_URL, or rename "
                    + "that table if it is not likesd's")
        case "42501" where command == .verify:
            return Failure(
                .permissionDenied, said,
                next: "let \(user) in: GRANT SELECT ON ALL TABLES IN SCHEMA public TO \"\(user)\"; for --repair "
                    + "also GRANT INSERT, UPDATE ON counters, cache_repairs TO \"\(user)\"")
        case "42501" where command == .export:
            return Failure(
                .permissionDenied, said,
                next: "let \(user) in: GRANT SELECT ON ALL TABLES IN SCHEMA public TO \"\(user)\"")
        case "42501" where [.forget, .remove].contains(command):
            return Failure(
                .permissionDenied, said, next: "run this as the role that likesd uses, or as the tables' owner")
        case "42501":
            return Failure(
                .permissionDenied, "\(said)\nThe user \(user) may not create or fill the tables.",
                next: "run this as their owner")
        case "3F000" where command == .migrate:
            return Failure(
                .permissionDenied, "\(said)\nThe user \(user) may use no schema of its search_path.",
                next: "name a schema in search_path that it may use")
        case "25006":
            return Failure(
                .unreachable, "\(said)\nThis server takes no writes: it is a standby or read-only.",
                next: "name the primary in DATABASE_URL")
        case "55P03", "57014":
            return Failure(
                .timedOut, "\(said)\nThe tables were locked for too long, perhaps by a migration.",
                next: "run this again, which is safe")
        case "53100" where command == .import:
            return Failure(
                .refused, "\(said)\nThe disk of PostgreSQL is full. This step changed nothing.",
                next: "make room there, and run the same command again: it goes on where it was; or free what the "
                    + "import has loaded: likesctl import --abandon")
        case "53100":
            return Failure(
                .refused, "\(said): what was done so far stays",
                next: "make room on PostgreSQL's disk, then run this again")
        case "53400" where command == .import:
            return Failure(
                .refused, "\(said)\nSorting needs some 60 bytes for each row in temporary files.",
                next: "raise temp_file_limit for \(user), as a superuser: ALTER ROLE \(user.sqlName) SET "
                    + "temp_file_limit = -1; then run the same command again: it goes on where it was")
        case "40001" where command == .export:
            return Failure(
                .refused, "\(said)\nThe standby had to apply what the primary removed meanwhile.",
                next: "set hot_standby_feedback = on there, or raise max_standby_streaming_delay, or export from the "
                    + "primary")
        case _ where [.import, .forget, .remove].contains(command):
            return Failure(.refused, "\(said)\nThis step changed nothing.", next: "run this again, which is safe")
        case _ where [.migrate, .verify].contains(command):
            return Failure(
                .refused, "\(said): what was done so far stays", next: "run this again, which is safe")
        default: return Failure(.refused, "\(said)\nNothing was changed.", next: "run this again, which is safe")
        }
    }
}
