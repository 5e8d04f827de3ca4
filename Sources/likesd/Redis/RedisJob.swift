import LikesCore
import LikesProtocol
import LikesSettings
import LikesStorage

/// The part of a call to Redis that one kind of command does. It goes out in slices that fit one command each.
enum RedisJob {
    /// `server`: `RedisServerFacts.name`.
    case identify(server: String, IdentifyRequest)
    case admit([AdmissionEntry], isAsking: Bool = false)
    case readCounters(Generation, [Item])
    /// `paceMs`: all hosts are told, but of no item of which they were told so recently; nil: none is told.
    case setCounters(Generation, [SealedCounter], paceMs: Int64?)
    case drop(Generation, [KeptCounter])
    case keepRecent([RecentLike])
    case tell(Generation, [SealedCounter], paceMs: Int64)

    /// The jobs of a call, in order.
    static func jobs(of request: RedisRequest, on server: String) -> [RedisJob] {
        switch request {
        case .identify(let request): [.identify(server: server, request)]
        case .admit(let entries, let isAsking): [.admit(entries, isAsking: isAsking)]
        case .readCounters(let generation, let items): [.readCounters(generation, items)]
        case .writeThrough(let generation, let counters, let recent):
            [.setCounters(generation, counters, paceMs: Limits.standard.tellMs), .keepRecent(recent)]
        case .fill(let generation, let counters): [.setCounters(generation, counters, paceMs: nil)]
        case .drop(let generation, let kept): [.drop(generation, kept)]
        case .tell(let generation, let counters, let paceMs): [.tell(generation, counters, paceMs: paceMs)]
        }
    }

    private var count: Int {
        switch self {
        case .admit(let entries, _): entries.count
        case .readCounters(_, let items): items.count
        case .setCounters(_, let counters, _), .tell(_, let counters, _): counters.count
        case .drop(_, let kept): kept.count
        case .keepRecent(let changes): changes.count
        case .identify: 1
        }
    }

    private var sliceMax: Int {
        switch self {
        case .admit: EdgeLimits.admissionEntriesPerScript
        case .readCounters: EdgeLimits.itemsPerMGET
        case .setCounters, .drop, .keepRecent, .tell: EdgeLimits.writesPerScript
        case .identify: 1
        }
    }

    /// The generation that Redis must have.
    var generation: Generation? {
        switch self {
        case .readCounters(let generation, _), .setCounters(let generation, _, _), .tell(let generation, _, _):
            generation
        case .identify, .admit, .drop, .keepRecent: nil
        }
    }

    /// Its slices, in order; none if there is nothing to do. A read of no items checks the marker. `deadlineMs`: from
    /// then on, by Redis' own clock, Redis must not set counters any more.
    func slices(deadlineMs: Int64, _ style: RedisStyle = .oneServer) -> [RedisSlice] {
        func slice(_ range: Range<Int>, _ kind: RedisSlice.Kind = .whole) -> RedisSlice {
            RedisSlice(job: self, range: range, deadlineMs: deadlineMs, style: style, kind: kind)
        }
        func each(_ kind: RedisSlice.Kind = .whole) -> [RedisSlice] { (0..<count).map { slice($0..<($0 + 1), kind) } }
        if case .admit(let entries, let isAsking) = self, isAsking || style == .strictCluster {
            return entries.indices.flatMap { place in
                let entry = entries[place]
                let rate = entry.part == .hint ? [] : [slice(place..<(place + 1), .rate)]
                return rate + (entry.asksForHint ? [slice(place..<(place + 1), .hint)] : [])
            }
        }
        if style == .strictCluster {
            let isEmptyRead = if case .readCounters(_, []) = self { true } else { false }
            if isEmptyRead { return [slice(0..<0, .marker)] }
            guard generation != nil, count > 0 else { return each() }
            return [slice(0..<0, .marker)] + each() + [slice(0..<0, .marker)]
        }
        if case .readCounters(_, []) = self { return [slice(0..<0)] }
        return stride(from: 0, to: count, by: sliceMax).map { slice($0..<min($0 + sliceMax, count)) }
    }
}
