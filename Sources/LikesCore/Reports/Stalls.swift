/// Finds out when requests wait and PostgreSQL does nothing for them, although its connections are up: a table is
/// locked, a standby that is to confirm is away, a disk hangs.
struct Stalls {
    /// What PostgreSQL does for requests, and can stop doing.
    enum Work: Int, CaseIterable {
        /// It stores changes.
        case storing
        /// It reads counts, pairs and lists.
        case reading

        /// As METRICS and INFO name it.
        var name: String {
            switch self {
            case .storing: "storing"
            case .reading: "reading"
            }
        }
    }

    struct Stall: Equatable {
        /// When the work was last done, or when the first request was accepted that waited in vain.
        var since: Instant
        /// Requests that have waited for it until their deadline.
        var expired: Int64
    }

    enum News: Equatable {
        case began(Work, Stall)
        /// `isDone`: the work is done again. Otherwise nobody has waited for it for a while.
        case ended(Work, Stall, isDone: Bool)

        var work: Work {
            switch self {
            case .began(let work, _), .ended(let work, _, _): work
            }
        }
    }

    private struct State {
        var stall: Stall?
        var doneAt: Instant?
        /// When the oldest request was accepted that waits for the work.
        var oldestAt: Instant?
        /// The same of those that have waited for it until their deadline since it was last done, and how many.
        var expiredFrom: Instant?
        var expired: Int64 = 0
        /// Since when nobody waits for it.
        var unwantedSince: Instant?

        /// Since when requests wait, and the work is not done.
        var idleSince: Instant? {
            guard let oldestAt, let expiredFrom else { return oldestAt ?? expiredFrom }
            return min(oldestAt, expiredFrom)
        }

        var dueAt: Instant? { idleSince.map { max($0, doneAt ?? $0).adding(ms: Limits.stallMs) } }

        mutating func forget() {
            (stall, expiredFrom, expired, unwantedSince) = (nil, nil, 0, nil)
        }
    }

    private var states = ContiguousArray(repeating: State(), count: Work.allCases.count)

    subscript(_ work: Work) -> Stall? { states[work.rawValue].stall }

    /// How long the request that has waited longest for the work has waited, in milliseconds; nil: none waits.
    func oldestMs(_ work: Work, now: Instant) -> Int64? { states[work.rawValue].oldestAt.map { now.ms(since: $0) } }

    /// PostgreSQL did some of it. Returns what is to be told.
    mutating func done(_ work: Work, now: Instant) -> News? {
        let place = work.rawValue
        let stall = states[place].stall
        states[place].forget()
        states[place].doneAt = now
        return stall.map { .ended(work, $0, isDone: true) }
    }

    /// A request that was accepted then has waited for it until its deadline.
    mutating func expired(_ work: Work, acceptedAt: Instant) {
        let place = work.rawValue
        states[place].expiredFrom = min(states[place].expiredFrom ?? acceptedAt, acceptedAt)
        states[place].expired += 1
        states[place].stall?.expired += 1
    }

    /// `oldestAt`: when the oldest request was accepted that waits for it; nil: none does. `isUp`: the connection is.
    /// Otherwise it is known what is wrong. Returns what is to be told.
    mutating func look(_ work: Work, oldestAt: Instant?, isUp: Bool, now: Instant) -> News? {
        let place = work.rawValue
        states[place].oldestAt = oldestAt
        if oldestAt != nil || states[place].stall == nil && states[place].expiredFrom == nil {
            states[place].unwantedSince = nil
        } else {
            let since = states[place].unwantedSince ?? now
            states[place].unwantedSince = since
            if now.ms(since: since) >= Limits.stallUnwantedMs {
                let stall = states[place].stall
                states[place].forget()
                return stall.map { .ended(work, $0, isDone: false) }
            }
        }
        guard isUp, states[place].stall == nil, let dueAt = states[place].dueAt, dueAt <= now else { return nil }
        let stall = Stall(since: dueAt.adding(ms: -Limits.stallMs), expired: states[place].expired)
        states[place].stall = stall
        return .began(work, stall)
    }

    /// When to look again though nothing else happens; nil: never.
    var wakeAt: Instant? {
        states.compactMap { state in
            let unwanted = state.unwantedSince?.adding(ms: Limits.stallUnwantedMs)
            guard state.stall == nil, let dueAt = state.dueAt else { return unwanted }
            return unwanted.map { min($0, dueAt) } ?? dueAt
        }.min()
    }

    func checkInvariants() {
        for state in states {
            precondition(
                state.stall == nil || state.oldestAt != nil || state.unwantedSince != nil, "a stall that never ends")
            precondition(state.expired == 0 || state.expiredFrom != nil, "requests that expired came some time")
        }
    }
}
