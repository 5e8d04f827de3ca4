import LikesProtocol
import LikesStorage
import Testing

@testable import LikesCore

// How backends answer. `call` says which call; without it the one call that waits for such an answer is meant.
extension Scenario {
    mutating func admit(
        call: CallID? = nil, _ verdicts: [AdmissionVerdict], sourceLocation: SourceLocation = #_sourceLocation
    ) { answer(call, .admitted(verdicts), sourceLocation: sourceLocation) }

    mutating func commit(
        call: CallID? = nil, changed: [Bool], _ counters: [CounterState],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        answer(call, .committed(BatchOutcome(changed: changed, counters: counters)), sourceLocation: sourceLocation)
    }

    mutating func schemaIs(
        call: CallID? = nil, _ failure: BackendFailure?, sourceLocation: SourceLocation = #_sourceLocation
    ) { answer(call, .schemaChecked(failure), sourceLocation: sourceLocation) }

    /// `backend`: whose call it is.
    mutating func fail(
        call: CallID? = nil, _ failure: StatementFailure, of backend: Backend = .lane,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        if backend == .lane {
            answer(call, LaneAnswer.failed(failure), sourceLocation: sourceLocation)
        } else {
            answer(call, ReaderAnswer.failed(failure), sourceLocation: sourceLocation)
        }
    }

    mutating func misfit(
        call: CallID? = nil, of backend: Backend = .lane, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let misfit = Misfit("nonsense")
        if backend == .lane {
            answer(call, LaneAnswer.misfit(misfit), sourceLocation: sourceLocation)
        } else {
            answer(call, ReaderAnswer.misfit(misfit), sourceLocation: sourceLocation)
        }
    }

    mutating func fence(call: CallID? = nil, _ state: LaneState?, sourceLocation: SourceLocation = #_sourceLocation) {
        answer(call, .fenced(state), sourceLocation: sourceLocation)
    }

    mutating func fenceOff(call: CallID? = nil, sourceLocation: SourceLocation = #_sourceLocation) {
        answer(call, LaneAnswer.fencedOff, sourceLocation: sourceLocation)
    }

    mutating func tend(
        call: CallID? = nil, settledUpTo: Int64? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        answer(call, .tended(settledUpTo: settledUpTo), sourceLocation: sourceLocation)
    }

    /// Rows that ask for version 1.
    mutating func repairs(
        call: CallID? = nil, _ items: [Item], version: Int64 = 1, notedBy: Int64 = 1, next: RepairCursor? = nil,
        horizon: Int64 = 1, hasSettled: Bool = false, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let rows = items.map { RepairRow(item: $0, version: version, notedBy: notedBy) }
        repairs(
            call: call, rows: rows, next: next, horizon: horizon, hasSettled: hasSettled, sourceLocation: sourceLocation
        )
    }

    mutating func repairs(
        call: CallID? = nil, rows: [RepairRow], next: RepairCursor? = nil, horizon: Int64 = 1, hasSettled: Bool = false,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        answer(
            call, .repairsSelected(RepairRows(rows: rows, next: next, horizon: horizon, hasSettled: hasSettled)),
            sourceLocation: sourceLocation)
    }

    mutating func identify(
        call: CallID? = nil, _ generation: Generation? = Scenario.generation, isOfThisLife: Bool = true,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let server = isOfThisLife ? generation?.server : nil
        let sealed = generation?.sealed(by: Scenario.secret)
        identified(
            call: call, FoundMarker(text: sealed?.marker ?? "", server: server ?? "another:life"),
            sourceLocation: sourceLocation)
    }

    mutating func identified(
        call: CallID? = nil, _ marker: FoundMarker, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        answer(call, .identified(marker), sourceLocation: sourceLocation)
    }

    mutating func survey(call: CallID? = nil, _ found: Survey, sourceLocation: SourceLocation = #_sourceLocation) {
        answer(call, .surveyed(found), sourceLocation: sourceLocation)
    }

    /// `newer`: what Redis kept instead.
    mutating func wroteThrough(
        call: CallID? = nil, refusal: String? = nil, newer: [CounterState] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        wroteThrough(call: call, refusal: refusal, kept: kept(newer), sourceLocation: sourceLocation)
    }

    mutating func wroteThrough(
        call: CallID? = nil, refusal: String? = nil, kept: [KeptCounter],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        answer(call, .wroteThrough(refusal: refusal, kept: kept), sourceLocation: sourceLocation)
    }

    /// `untold`: what Redis took and told nobody of.
    mutating func wroteThrough(
        call: CallID? = nil, untold: [CounterState], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        answer(
            call, .wroteThrough(refusal: nil, kept: [], untold: untold.map { sealed($0) }),
            sourceLocation: sourceLocation)
    }

    mutating func told(
        call: CallID? = nil, _ outcomes: [TellingOutcome], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        answer(call, .told(outcomes), sourceLocation: sourceLocation)
    }

    mutating func filled(
        call: CallID? = nil, newer: [CounterState] = [], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        answer(call, .filled(kept: kept(newer)), sourceLocation: sourceLocation)
    }

    mutating func dropped(call: CallID? = nil, sourceLocation: SourceLocation = #_sourceLocation) {
        answer(call, .dropped, sourceLocation: sourceLocation)
    }

    mutating func redisFails(
        call: CallID? = nil, _ failure: RedisFailure = .refused("MISCONF"),
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        answer(call, RedisAnswer.failed(failure), sourceLocation: sourceLocation)
    }

    mutating func redisHas(
        call: CallID? = nil, _ counters: [CounterState?], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        redisHas(call: call, sealed: counters.map { $0.map { sealed($0) } }, sourceLocation: sourceLocation)
    }

    mutating func redisHas(
        call: CallID? = nil, sealed counters: [SealedCounter?], sourceLocation: SourceLocation = #_sourceLocation
    ) { answer(call, .countersRead(counters), sourceLocation: sourceLocation) }

    /// Answers the reads of counters among `actions`, of Redis or PostgreSQL, with these.
    mutating func answer(
        _ actions: [Action], _ counters: [CounterState], token: String = Scenario.generation.token,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for action in actions {
            switch action {
            case .redis(_, let call, .readCounters(_, let items)) where !items.isEmpty:
                redisHas(call: call, sealed: counters.map { sealed($0, token: token) }, sourceLocation: sourceLocation)
            case .reader(let call, .selectCounters): databaseHas(call: call, counters, sourceLocation: sourceLocation)
            default: continue
            }
        }
    }

    mutating func databaseHas(
        call: CallID? = nil, _ counters: [CounterState], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        answer(call, .countersSelected(counters), sourceLocation: sourceLocation)
    }

    mutating func pairs(call: CallID? = nil, _ states: [PairState], sourceLocation: SourceLocation = #_sourceLocation) {
        answer(call, .pairsSelected(states), sourceLocation: sourceLocation)
    }

    mutating func lists(call: CallID? = nil, _ pages: [ListPage], sourceLocation: SourceLocation = #_sourceLocation) {
        answer(call, .listsSelected(pages), sourceLocation: sourceLocation)
    }

    mutating func hear(_ counters: CounterState..., token: String = Scenario.generation.token) {
        hear(counters.map { sealed($0, token: token) }, token: token)
    }

    mutating func hear(_ counters: [SealedCounter], token: String = Scenario.generation.token) {
        step { core, turn in core.heard(on: 0, token: token, counters, &turn) }
    }
}
