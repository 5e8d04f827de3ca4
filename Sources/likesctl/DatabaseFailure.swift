import LikesCore

/// What to do when PostgreSQL refuses.
enum DatabaseFailure {
    /// No connection. libpq gives no code here, only the server's words: where they are not English, the advice is
    /// the general one.
    static func connecting(_ message: String, url: String, database: String) -> Failure {
        let said = "no connection to \(DatabaseURL.masked(url))\n\(message)"
        if message.contains("does not exist"), message.contains("database \"") {
            return Failure(
                .unreachable,
                "\(said)\nCreate the database first, as a user who may: createdb \(shellWord(database))")
        }
        let refusals = [
            "authentication failed", "no password supplied", "pg_hba.conf", "role \"", "permission denied for database",
        ]
        if refusals.contains(where: { message.contains($0) }) {
            return Failure(
                .permissionDenied,
                "\(said)\nCheck the user and password in DATABASE_URL, that PostgreSQL has this role "
                    + "(createuser), and its pg_hba.conf.")
        }
        return Failure(
            .unreachable,
            "\(said)\nCheck that PostgreSQL runs (pg_isready), host, port and database in DATABASE_URL, and that "
                + "the database exists (createdb \(shellWord(database))).")
    }

    /// A statement that failed, and with it its transaction: nothing of it was stored.
    static func statement(sqlState: String, _ message: String, user: String, database: String, _ command: Command)
        -> Failure
    {
        var failure = explained(sqlState: sqlState, message, user: user, database: database, command)
        failure.isWorthRepeating = sqlState == "40P01" || sqlState == "40001"
        failure.isLocked = sqlState == "55P03"
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
                "\(said)\nThe database \(database) has a table of this name that likesd did not make. Name another "
                    + "database in DATABASE_URL, or rename that table.")
        case "42501" where command == .verify:
            return Failure(
                .permissionDenied,
                "\(said)\nLet \(user) in: GRANT SELECT ON ALL TABLES IN SCHEMA public TO \"\(user)\"; for --repair "
                    + "also GRANT INSERT, UPDATE ON counters, cache_repairs TO \"\(user)\"")
        case "42501":
            return Failure(
                .permissionDenied,
                "\(said)\nThe user \(user) may not create or fill the tables. Run this as their owner, or let "
                    + "\(user) in: GRANT CREATE ON SCHEMA public TO \"\(user)\"")
        case "25006":
            return Failure(
                .unreachable,
                "\(said)\nThis server takes no writes: it is a standby or read-only. Name the primary in DATABASE_URL.")
        case "55P03", "57014":
            return Failure(
                .timedOut,
                "\(said)\nSomething held the tables for long, perhaps a migration. Running this again is safe.")
        default: return Failure(.refused, "\(said)\nNothing was changed. Running this again is safe.")
        }
    }

    /// A name as a shell takes it for one word.
    private static func shellWord(_ name: String) -> String {
        let isPlain = !name.isEmpty && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        return isPlain
            ? name
            : "'"
                + name.split(separator: "'", omittingEmptySubsequences: false)
                .joined(separator: "'\\''") + "'"
    }
}
