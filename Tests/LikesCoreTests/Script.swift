import LikesProtocol
import Testing

@testable import LikesCore

/// Feeds events to a core and keeps what it wants done.
struct Script {
    var core: Core
    var now = Instant.ms(1_000)
    private(set) var actions: [Action] = []

    init(_ change: (inout Configuration) -> Void = { _ in }, up: [Backend] = [.redis, .lane, .reader]) {
        var configuration = Configuration()
        configuration.localCacheEntries = 1_000
        change(&configuration)
        core = Core(
            configuration: configuration,
            versions: VersionFacts(processID: 1, swift: "6", libpq: "15", hiredis: "0.14", systemd: "252"),
            seed: 7, now: now)
        step { core, now, actions in
            core.start(now: now, into: &actions)
            for backend in up { core.connected(backend, now: now, into: &actions) }
        }
        actions = []
    }

    /// One event, then the end of the turn.
    mutating func step(_ event: (inout Core, Instant, inout [Action]) -> Void) {
        event(&core, now, &actions)
        core.turnEnded(now: now, into: &actions)
    }

    mutating func open() throws -> ConnectionID {
        let opened = core.opened(now: now)
        return try #require(opened)
    }

    /// All requests in one turn, as a pipeline.
    mutating func send(_ requests: Request..., on connection: ConnectionID) {
        step { core, now, actions in
            for request in requests { core.received(request, on: connection, now: now, into: &actions) }
        }
    }

    mutating func lose(_ backend: Backend) {
        step { core, now, actions in core.lost(backend, .unreachable("gone"), now: now, into: &actions) }
    }

    mutating func pass(ms: Int64) {
        now = now.adding(ms: ms)
        step { core, now, actions in core.tick(now: now, into: &actions) }
    }

    /// The actions since the last look, without the log's.
    mutating func take() -> [Action] {
        defer { actions = [] }
        return actions.filter { if case .log = $0 { false } else { true } }
    }

    mutating func replies(_ connection: ConnectionID) -> [Reply] {
        take().compactMap { if case .reply(connection, let reply) = $0 { reply } else { nil } }
    }

    // MARK: Backends that answer

    mutating func admit(_ call: CallID, _ verdicts: [AdmissionVerdict]) {
        step { core, now, actions in core.admitted(call, verdicts, now: now, into: &actions) }
    }

    mutating func commit(_ call: CallID, changed: [Bool], _ counters: [CounterState]) {
        step { core, now, actions in
            core.committed(call, BatchOutcome(changed: changed, counters: counters), now: now, into: &actions)
        }
    }

    mutating func wroteThrough(_ call: CallID) {
        step { core, now, actions in core.wroteThrough(call, now: now, into: &actions) }
    }

    /// Redis refuses a write, and goes on refusing when the repair is tried.
    mutating func refuseRepair(_ call: CallID) {
        step { core, now, actions in core.redisCallFailed(call, "OOM", now: now, into: &actions) }
    }

    mutating func redisHas(_ call: CallID, _ counters: [CounterState?]) {
        step { core, now, actions in core.countersRead(call, counters, now: now, into: &actions) }
    }

    mutating func databaseHas(_ call: CallID, _ counters: [CounterState]) {
        step { core, now, actions in core.countersSelected(call, counters, now: now, into: &actions) }
    }

    mutating func pairs(_ call: CallID, _ states: [PairState]) {
        step { core, now, actions in core.pairsSelected(call, states, now: now, into: &actions) }
    }
}

let post = Item(type: 0, id: 456)
let other = Item(type: 0, id: 789)
let ann = Pair(user: 1, item: post)
let bob = Pair(user: 2, item: post)

func counter(_ item: Item, _ count: Int64, _ version: Int64) -> CounterState {
    CounterState(item: item, count: count, version: version)
}
