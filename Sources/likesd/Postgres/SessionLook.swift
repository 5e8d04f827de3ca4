/// Finds out, before anything is set on it, whether a connection has a session of PostgreSQL to itself. A pooler may
/// lend one for a transaction at a time: what likesd sets there would reach the applications that get it next, and
/// likesd's statements would miss what it has prepared.
///
/// A direct connection is known by PostgreSQL's process id, which libpq was told when it connected. A pooler tells
/// another one, its own. Then a second connection is compared with this one. Likesd alone cannot tell: while nobody
/// else uses the pooler, it may get the same session each time.
struct SessionLook {
    static let question = "SELECT pg_backend_pid()"
    /// How often a second connection is asked: others may use the pooler too.
    private static let roundsMax = 3
    /// How often this one is asked after it: a pooler that lends its sessions in turns would lend it another one.
    private static let asksPerRound = 2

    enum Next {
        case ask
        /// A second connection is to be asked; `heard` tells what it said.
        case askAnother
        case isOwn
        case isLent
    }

    private let announced: String
    private var session: String?
    private var others: [String] = []
    private var asksLeft = 0
    private var roundsLeft = roundsMax
    private var isLent = false

    /// `announced`: PostgreSQL's process id, as libpq was told.
    init(announced: Int32) { self.announced = String(announced) }

    /// The process id that answered on the connection itself.
    mutating func answered(_ session: String) {
        isLent = isLent || self.session.map { $0 != session } ?? false
        self.session = self.session ?? session
        asksLeft -= 1
    }

    /// The process id that answered on a second connection; nil: there is none to be had, and nobody to be mistaken
    /// for.
    mutating func heard(_ other: String?) {
        if let other { others.append(other) } else { roundsLeft = 0 }
        asksLeft = Self.asksPerRound
    }

    mutating func next() -> Next {
        guard let session else { return .ask }
        if session == announced { return .isOwn }
        if isLent || others.contains(session) { return .isLent }
        if asksLeft > 0 { return .ask }
        guard roundsLeft > 0 else { return .isOwn }
        roundsLeft -= 1
        return .askAnother
    }
}
