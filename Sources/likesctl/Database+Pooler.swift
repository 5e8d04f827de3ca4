import CPostgres
import LikesctlCommands

// A pooler that lends a session of PostgreSQL for one transaction at a time.
extension Database {
    /// How often two connections are compared: others may use the pooler too.
    private static let poolerLooks = 5
    /// Milliseconds for the second connection's answers.
    private static let poolerAnswerMs: Int64 = 3_000

    /// Refuses such a pooler. Settings of this session, such as its time limits, would reach the applications that
    /// get PostgreSQL's session next, and its locks would stay there. `another`: a second connection like this one.
    func refuseLentSession(_ another: () throws(Failure) -> Database) throws(Failure) {
        // A pooler gives a number of its own.
        let announced = String(PQbackendPID(connection))
        let first = try sessionPID()
        guard first != announced else { return }
        let isLent: Bool
        do throws(Failure) {
            isLent = try !staysApart(first, from: another())
        } catch {
            // The pooler has no second session free, or may not have one. It does not take this one for it.
            isLent = try !keepsSession(first)
        }
        guard !isLent else {
            throw Failure(
                .refused,
                "a pooler stands between likesctl and PostgreSQL that gives its sessions to others after each "
                    + "transaction",
                next: "name PostgreSQL itself in DATABASE_URL, or a pooler with pool_mode = session; likesd needs that "
                    + "as well")
        }
    }

    private func staysApart(_ first: String, from other: borrowing Database) throws(Failure) -> Bool {
        for _ in 0..<Self.poolerLooks {
            let theirs = try other.sessionPID()
            guard try keepsSession(first), theirs != first else { return false }
        }
        return true
    }

    /// Asked twice: a pooler that lends sessions in turns may give each of two connections its own, time and again.
    private func keepsSession(_ first: String) throws(Failure) -> Bool {
        for _ in 0..<2 { guard try sessionPID() == first else { return false } }
        return true
    }

    /// PostgreSQL's number of the session that answers.
    private func sessionPID() throws(Failure) -> String {
        try execute("SELECT pg_backend_pid()", timeoutMs: Self.poolerAnswerMs).first?.first.flatMap { $0 } ?? ""
    }
}
