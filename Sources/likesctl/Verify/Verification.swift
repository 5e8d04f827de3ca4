import Glibc
import LikesSettings
import LikesStorage
import LikesctlCommands

/// `likesctl verify`: the whole audit.
enum Verification {
    /// Runs it, prints what it finds, and returns the exit status for scripts.
    static func run(
        _ configuration: Configuration, _ options: VerifyOptions, json: Bool
    ) throws(Failure) -> ExitStatus {
        // A Redis that hangs up must not end the process: hiredis writes to closed sockets.
        signal(SIGPIPE, SIG_IGN)
        let context = try AuditContext(configuration, options, json: json)
        for misfit in context.misfits { try context.report.found(misfit) }
        if let reason = stops(context) {
            context.report.notCompared(reason)
            try context.report.finish()
            return context.report.status
        }
        try LikesTwice(context).audit()
        let redis = try connect(configuration.redis, context)
        let mender = Mender(context, redis)
        var audit = LikesAudit(context, mender)
        let sample = try Sample.draw(context)
        if let sample { try audit.audit(sample) } else { try audit.auditAll() }
        let hasUnnamed = !context.report.database.unnamed.isEmpty
        try context.report.foundUnnamedTypes(noted: hasUnnamed ? try TypeNaming.noted(context.database) : [])
        if let redis { try compare(RedisAudit(context, redis), sample, context.report) }
        try context.report.finish()
        return context.report.status
    }

    /// Why the rest has to wait until the tables are corrected.
    private static func stops(_ context: AuditContext) -> String? {
        if context.misfits.contains(where: \.hidesRows) { return "the tables cannot be read as they are" }
        let isMendable = context.misfits.allSatisfy(\.leavesMending)
        return context.options.repairs && !isMendable ? "the tables cannot be corrected as they are" : nil
    }

    private static func connect(
        _ endpoint: RedisEndpoint, _ context: AuditContext
    ) throws(Failure) -> RedisCounters? {
        guard try context.database.execute("SELECT pg_is_in_recovery()").first?.first == "f" else {
            context.report.redisNotChecked(
                "this PostgreSQL is a standby, which Redis may be ahead of", next: "name the primary in DATABASE_URL")
            return nil
        }
        guard
            let secret = try context.database.execute(Schema.selectSeals).first?.first.flatMap({ $0 })
                .flatMap({ Secret(hex: $0) })
        else {
            context.report.redisNotChecked(
                "the table likesd_secret has no secret, so likesd's counters cannot be recognised",
                next: "as the owner of the tables, \(Schema.renewSecret)")
            return nil
        }
        do {
            return RedisCounters(try RedisServers(endpoint), secret)
        } catch {
            context.report.redisNotChecked(error.reason)
            return nil
        }
    }

    private static func compare(
        _ audit: consuming RedisAudit, _ sample: [StoredItem]?, _ report: VerifyReport
    ) throws(Failure) {
        do {
            if let sample { try audit.audit(sample) } else { try audit.auditAll() }
        } catch {
            switch error {
            case .redis(let trouble): report.redisNotChecked(trouble.reason)
            case .failure(let failure): throw failure
            }
        }
    }
}
