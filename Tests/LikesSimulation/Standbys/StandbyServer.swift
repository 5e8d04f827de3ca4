import LikesCore
import LikesProtocol
import LikesStorage

/// A standby of PostgreSQL: it replays the log of its primary, sooner or later, and answers counts from what it has
/// replayed.
final class StandbyServer {
    private let scheduler: Scheduler
    private let plan: Plan
    /// Which of the databases its primary's is.
    private let database: Int
    /// How long after it was flushed a commit is usually replayed.
    private let pace: (low: Micros, high: Micros)
    private(set) var replayed: ReplayedState
    /// Of the log that it gets.
    private var forks: [LogFork]
    /// What of the log it has received and not replayed, and when each record is due.
    private var unreplayed = Ring<(record: LogRecord, dueAt: Micros)>()
    private var lastDueAt: Micros = 0
    /// It replays the log of the present primary. Otherwise it has a past of its own from some moment on.
    private(set) var follows = true
    /// Its own past goes on: that of an old primary, or of its own.
    private var growsAlone = false
    /// It takes writes.
    private(set) var isPromoted = false
    /// Items that were written in a past of its own.
    private var isForeign: [Bool]
    var sessions: [Int32: StandbySession] = [:]

    // Faults
    var lagsUntil: Micros = 0
    private var pausedUntil: Micros = 0
    var hungUntil: Micros = 0
    var downUntil: Micros = 0
    var conflictsUntil: Micros = 0
    var refusesUntil: Micros = 0
    var misfitsUntil: Micros = 0
    /// It would not follow another primary.
    var staysUntil: Micros = 0

    init(_ scheduler: Scheduler, _ plan: Plan, database: Int, pace: (low: Micros, high: Micros), _ state: PostgresState)
    {
        self.scheduler = scheduler
        self.plan = plan
        self.database = database
        self.pace = pace
        replayed = ReplayedState(state)
        forks = state.forks
        isForeign = [Bool](repeating: false, count: plan.items.count)
    }

    // MARK: The log

    /// The primary has flushed this.
    func receive(_ record: LogRecord) {
        guard follows else { return }
        var delay = scheduler.chance.skewed(pace.low, pace.high)
        if lagsUntil > scheduler.now { delay += scheduler.chance.skewed(.ms(20), .seconds(15)) }
        lastDueAt = max(lastDueAt, scheduler.now + delay)
        unreplayed.append((record, lastDueAt))
    }

    func catchUp() {
        guard pausedUntil <= scheduler.now else { return }
        while let (record, dueAt) = unreplayed.first, dueAt <= scheduler.now {
            replayed.replay(record)
            unreplayed.popFirst()
        }
    }

    func pause(until: Micros) {
        catchUp()
        pausedUntil = max(pausedUntil, until)
    }

    /// The primary's log goes on from an earlier position, perhaps one of a past that was left before: a server that is
    /// beyond it, or beyond the fork, cannot follow. Returns whether this one does.
    func follow(_ primary: PostgresState, isNewTimeline: Bool) -> Bool {
        catchUp()
        let position = primary.position
        // One that was not told of the new primary stays with the old one.
        let isLeft = isNewTimeline && (staysUntil > scheduler.now || scheduler.chance.hits(percent: 30))
        guard follows, replayed.position <= position, hasReplayed(whatIs: primary.forks, until: replayed.position),
            !isLeft
        else {
            diverge()
            growsAlone = isNewTimeline
            return false
        }
        guard hasReplayed(whatIs: primary.forks, until: position) else {
            // What it has received and not replayed yet is of the past that was left.
            unreplayed.removeAll()
            forks = primary.forks
            receive(LogRecord(position: position, changes: [.everything(ReplayedState(primary))]))
            return true
        }
        forks = primary.forks
        var common = Ring<(record: LogRecord, dueAt: Micros)>()
        while let next = unreplayed.popFirst() { if next.record.position <= position { common.append(next) } }
        unreplayed = common
        return true
    }

    /// Whether its log has gone the same ways up to this position.
    private func hasReplayed(whatIs forks: [LogFork], until position: LogPosition) -> Bool {
        self.forks.filter { $0.position < position } == forks.filter { $0.position < position }
    }

    /// It goes on with a past of its own.
    private func diverge() {
        catchUp()
        follows = false
        unreplayed.removeAll()
    }

    func promote() {
        diverge()
        isPromoted = true
        growsAlone = true
    }

    /// Somebody writes where it gets its log from, or to this server itself.
    private func growAlone() {
        replayed.position += scheduler.chance.between(1, 300)
        guard scheduler.chance.hits(percent: 30) else { return }
        let item = scheduler.chance.below(plan.items.count)
        replayed.counters[item].version += 1
        isForeign[item] = true
    }

    /// It is made anew, from a copy of the primary.
    func clone(_ state: PostgresState) {
        replayed = ReplayedState(state)
        forks = state.forks
        unreplayed.removeAll()
        lastDueAt = scheduler.now
        follows = true
        isPromoted = false
        growsAlone = false
        pausedUntil = 0
        isForeign = [Bool](repeating: false, count: plan.items.count)
    }

    // MARK: What it shows

    /// How far it has replayed the log; nil: it takes writes.
    func log(lane: Int64) -> ReplayedLog? {
        catchUp()
        if growsAlone { growAlone() }
        guard !isPromoted else { return nil }
        return ReplayedLog(
            position: replayed.position, epoch: replayed.epochs[lane], signOfLife: replayed.beats[lane])
    }

    /// The item's counter as clients are told of it.
    func told(_ item: Int) -> CounterState {
        catchUp()
        var counter = replayed.counters[item]
        let database = isForeign[item] ? StandbyServer.elsewhere : database
        counter.count = ToldCount.told(likes: counter.count, commit: replayed.commits[item], database: database)
        return counter
    }

    /// The number of a database that nobody may be told of.
    private static let elsewhere = 7
}

/// A connection to a standby: calls are answered in order, each in two steps.
final class StandbySession {
    struct Call {
        var id: CallID
        var items: [Item]
        var lane: Int64
    }
    var calls = Ring<Call>()
    /// What the first statement of the call under way returned.
    var log: Log?
    enum Log {
        case replayed(ReplayedLog)
        case isPrimary
    }
}
