import LikesHost
import LikesSettings
import LikesStorage
import LikesctlCommands

// What a command that reads or changes likes asks before it begins.
extension Database {
    /// Before PostgreSQL 14 nothing is read by ranges of places.
    func checkServer(for command: Command) throws(Failure) {
        guard serverVersion >= 140_000 else {
            throw Failure(
                .refused,
                "\(command.rawValue) needs PostgreSQL 14 or newer: "
                    + "an older one reads the whole table for each part of it"
            )
        }
    }

    /// Refuses another version of the schema.
    func checkVersion(_ advice: Advice) throws(Failure) {
        try refuseIfBarred()
        var version = 0
        if try execute(Schema.hasVersion).first?.first == "t" {
            guard let found = try execute(Schema.selectVersion).first?.first?.flatMap({ Int($0) }) else {
                throw Failure(.refused, "the table likesd_schema has no row", next: Schema.whenLost("likesd_schema"))
            }
            version = found
        } else if try execute(Schema.hasReference).first?.first == "t" {
            throw Failure(.refused, Schema.referenceMisfit(name), next: advice.likesctlAgain(.adopt).text)
        } else if try execute(Schema.hasTables).first?.first == "t" {
            throw Failure(
                .refused, "the table likesd_schema is missing in the database \(name)",
                next: Schema.whenVersionLost)
        }
        guard version <= Schema.version else {
            throw Failure(
                .newerSchema,
                "the schema has version \(version), this likesctl knows \(Schema.version): nothing was done",
                next: "upgrade likesd on this host")
        }
        guard version == Schema.version else {
            throw Failure(
                version == 0 ? .refused : .olderSchema,
                "the schema of the database \(name) "
                    + (version == 0 ? "is missing" : "has version \(version), \(Schema.version) is needed"),
                next: advice.likesctlAgain(.migrate).text)
        }
    }

    /// Refuses tables with which the statements would not be right.
    func checkTables() throws(Failure) {
        guard let misfit = try misfits().first(where: { !$0.isOfRole }) else { return }
        throw Failure(
            .refused, "the tables are not as likesd needs them: \(misfit.name) \(misfit.kind.rawValue): \(misfit.text)",
            next: misfit.remedy.statementsAlone ?? misfit.remedy.text)
    }

    /// For commands that change likes, or read all of them: everything above, and a session whose short statements are
    /// planned like a batch's.
    func prepare(_ configuration: Configuration, for command: Command) throws(Failure) {
        try checkServer(for: command)
        try execute("SET client_min_messages = warning")
        try execute("SET statement_timeout = \(Self.statementTimeoutMs)")
        try execute("SET lock_timeout = \(Self.statementTimeoutMs)")
        try execute("SET default_transaction_isolation = 'read committed'")
        // Times without a zone mean the same on each host.
        try execute("SET timezone = 'UTC'")
        try execute("SET datestyle = 'ISO, YMD'")
        try execute("SET jit = off")
        // The server may leave a session idle for as long as the input takes. It notes soon that likesctl was killed.
        try execute("SET idle_session_timeout = 0")
        try execute("SET client_connection_check_interval = 1000")
        try execute(AuditStatements.commitDurably)
        try checkVersion(Advice(configuration, on: HostFacts.measured()))
        try checkTables()
    }
}
