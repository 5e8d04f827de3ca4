import LikesProtocol
import LikesSettings
import LikesStorage
import LikesctlCommands

/// Sets the counters right that disagree with the likes, or are missing: the audit of `likesctl verify --repair`, on a
/// connection of its own. It is exact while both write: the reference's transactions change a counter by what they
/// change of its likes, as likesd's do.
struct CounterMending {
    private let session: TakeoverSession
    private let configuration: Configuration
    private let json: Bool

    init(_ session: TakeoverSession, _ configuration: Configuration, json: Bool) {
        self.session = session
        self.configuration = configuration
        self.json = json
    }

    /// Returns the exit status for it. `unnamed` is called with the types without a name.
    func run(_ unnamed: (Set<Int16>) throws(Failure) -> Void) throws(Failure) -> ExitStatus {
        guard let home = session.home else { return .refused }
        session.report.closeLine()
        var options = VerifyOptions()
        options.repairs = true
        let context = try AuditContext(takingOver: configuration, schema: home.schema, options, json: json)
        let mender = Mender(context, nil)
        var audit = LikesAudit(context, mender)
        try audit.auditAll()
        context.report.closeLine()
        let sums = context.report.database
        try unnamed(Set(sums.unnamed.keys))
        session.report.counters = (sums.countersDiffering, context.report.mended)
        try session.report.done(
            "counters: \(Counted.text(sums.items, "item")) with \(Counted.text(sums.likes, "like")) checked, "
                + "\(Counted.text(sums.countersDiffering, "difference")), \(context.report.mended) mended")
        guard sums.undecided == 0, context.report.mended == sums.countersDiffering else {
            session.report.warn(
                Warning(
                    message:
                        "some counters were locked, or changed too often to be counted: \(sums.undecided) undecided, "
                        + "\(sums.countersDiffering - context.report.mended) not mended",
                    next: "likesctl verify --repair"))
            return .differences
        }
        return .ok
    }
}
