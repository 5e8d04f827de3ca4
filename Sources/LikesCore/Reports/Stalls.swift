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
        /// When it was done again.
        var doneAt: Instant?
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
        /// Since when the connection is up; nil: it is not, and what is wrong is known and said.
        var upSince: Instant?
        var doneAt: Instant?
        /// The work is done again; the stall is over once nothing has waited too long for a while.
        var recoveringSince: Instant?
        /// When the oldest request was accepted that waits for the work.
        var oldestAt: Instant?
        /// The same of those that have waited for it until their deadline since it was last done, and how many.
        var expiredFrom: Instant?
        var expired: Int64 = 0
        /// Since when nobody waits for it.
        var unwantedSince: Instant?

        /// Since when requests wait, and the work is not done, although the connection is up.
        var idleSince: Instant? {
            guard let upSince, let first = [oldestAt, expiredFrom].compactMap({ $0 }).min() else { return nil }
            return max(first, upSince, doneAt ?? first)
        }

        var dueAt: Instant? { idleSince?.adding(ms: Limits.stallMs) }

        mutating func forgetExpired() { (expiredFrom, expired) = (nil, 0) }

        mutating func end() {
            (stall, recoveringSince, unwantedSince) = (nil, nil, nil)
            forgetExpired()
        }
    }

    private var states = ContiguousArray(repeating: State(), count: Work.allCases.count)

    subscript(_ work: Work) -> Stall? { states[work.rawValue].stall }

    /// How long the request that has waited longest for the work has waited, in milliseconds; nil: none waits.
    func oldestMs(_ work: Work, now: Instant) -> Int64? { states[work.rawValue].oldestAt.map { now.ms(since: $0) } }

    /// Whether the work is done now and then, but too slowly.
    func isSlow(_ work: Work) -> Bool {
        let state = states[work.rawValue]
        guard let stall = state.stall, let doneAt = state.doneAt else { return false }
        return doneAt > stall.since
    }

    /// PostgreSQL did some of it.
    mutating func done(_ work: Work, now: Instant) {
        let place = work.rawValue
        states[place].doneAt = now
        states[place].forgetExpired()
        if states[place].stall != nil, states[place].recoveringSince == nil { states[place].recoveringSince = now }
    }

    /// A request that was accepted then has waited for it until its deadline.
    mutating func expired(_ work: Work, acceptedAt: Instant) {
        let place = work.rawValue
        states[place].expiredFrom = min(states[place].expiredFrom ?? acceptedAt, acceptedAt)
        states[place].expired += 1
        states[place].stall?.expired += 1
    }

    /// `oldestAt`: when the oldest request was accepted that waits for it; nil: none does. `isAsked`: PostgreSQL has
    /// been asked for it, and has not answered. Returns what is to be told.
    mutating func look(
        _ work: Work, oldestAt: Instant?, isAsked: Bool, isUp: Bool, now: Instant
    ) -> News? {
        let place = work.rawValue
        states[place].oldestAt = oldestAt
        states[place].upSince = isUp ? states[place].upSince ?? now : nil
        guard states[place].stall != nil else {
            states[place].unwantedSince = nil
            // While the connection is not up, that is why they expire.
            if !isUp { states[place].forgetExpired() }
            return beginIfDue(work, now: now)
        }
        return endIfOver(work, isAsked: isAsked, now: now)
    }

    private mutating func beginIfDue(_ work: Work, now: Instant) -> News? {
        let place = work.rawValue
        guard let since = states[place].idleSince, let dueAt = states[place].dueAt, dueAt <= now else { return nil }
        let stall = Stall(since: since, expired: states[place].expired)
        states[place].stall = stall
        return .began(work, stall)
    }

    private mutating func endIfOver(_ work: Work, isAsked: Bool, now: Instant) -> News? {
        let place = work.rawValue
        let state = states[place]
        guard let stall = state.stall else { return nil }
        // Its next begins where this one would end.
        if let dueAt = state.dueAt, dueAt <= now { states[place].recoveringSince = nil }
        if let since = states[place].recoveringSince, now.ms(since: since) >= Limits.stallMs {
            states[place].end()
            return .ended(work, Stall(since: stall.since, expired: stall.expired, doneAt: since), isDone: true)
        }
        guard state.oldestAt == nil, !isAsked, states[place].recoveringSince == nil else {
            states[place].unwantedSince = nil
            return nil
        }
        let since = state.unwantedSince ?? now
        states[place].unwantedSince = since
        guard now.ms(since: since) >= Limits.stallUnwantedMs else { return nil }
        states[place].end()
        return .ended(work, stall, isDone: false)
    }

    /// When to look again though nothing else happens; nil: never.
    var wakeAt: Instant? {
        states.compactMap { state in
            guard state.stall != nil else { return state.dueAt }
            let moments = [
                state.recoveringSince?.adding(ms: Limits.stallMs),
                state.unwantedSince?.adding(ms: Limits.stallUnwantedMs),
            ]
            return moments.compactMap { $0 }.min()
        }.min()
    }

    func checkInvariants() {
        for state in states {
            precondition(state.expired == 0 || state.expiredFrom != nil, "requests that expired came some time")
            precondition(state.stall != nil || state.recoveringSince == nil, "what is not stalled does not recover")
        }
    }
}
