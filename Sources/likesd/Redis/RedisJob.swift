import LikesCore
import LikesProtocol
import LikesSettings
import LikesStorage

/// The part of a call to Redis that one kind of command does. It goes out in slices that fit one command each.
enum RedisJob {
    /// `server`: `RedisServerFacts.name`.
    case identify(server: String, IdentifyRequest)
    case admit([AdmissionEntry])
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
        case .admit(let entries): [.admit(entries)]
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
        case .admit(let entries): entries.count
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

    /// Its slices, in order; none if there is nothing to do. A read of no items checks the marker. `deadlineMs`: from
    /// then on, by Redis' own clock, Redis must not set counters any more.
    func slices(deadlineMs: Int64) -> [RedisSlice] {
        if case .readCounters(_, []) = self { return [RedisSlice(job: self, range: 0..<0, deadlineMs: deadlineMs)] }
        return stride(from: 0, to: count, by: sliceMax).map {
            RedisSlice(job: self, range: $0..<min($0 + sliceMax, count), deadlineMs: deadlineMs)
        }
    }
}

/// What one command to Redis carries.
struct RedisSlice {
    let job: RedisJob
    /// Which of the job's entries.
    let range: Range<Int>
    let deadlineMs: Int64

    /// The script it runs, nil for a plain command.
    var script: Script? {
        switch job {
        case .identify: .identify
        case .admit: .admit
        case .setCounters: .setCounters
        case .drop: .drop
        case .keepRecent: .keepRecent
        case .tell: .tell
        case .readCounters: nil
        }
    }

    /// Writes the command, with the script's hash where it runs one.
    func write(
        to command: inout RedisCommand, hash: [UInt8], configuration: Configuration, channels: RedisChannels
    ) {
        switch job {
        case .identify(let server, let request):
            command.beginScript(hash, keys: 1, arguments: 2)
            command.word(RedisKeys.marker)
            command.word((request.new?.generation(on: server).marker ?? "").utf8)
            command.word((request.new?.instead ?? "").utf8)
        case .admit(let entries): write(entries[range], to: &command, hash, configuration)
        case .readCounters(_, let items):
            command.begin(words: 2 + 2 * range.count)
            command.word("MGET")
            command.word(RedisKeys.marker)
            for item in items[range] { command.keys(of: item) }
        case .setCounters(let generation, let counters, let paceMs):
            command.beginScript(hash, keys: 1 + 2 * range.count, arguments: 6 + 2 * range.count)
            command.word(RedisKeys.marker)
            for sealed in counters[range] { command.keys(of: sealed.counter.item) }
            command.word(generation.marker.utf8)
            command.word(generation.token.utf8)
            command.word(deadlineMs)
            command.word(configuration.cacheTTLSeconds)
            if paceMs != nil { command.word(channels.counters) } else { command.word("") }
            command.word(paceMs ?? Limits.standard.tellMs)
            command.words(counters[range])
        case .tell(let generation, let counters, let paceMs):
            command.beginScript(hash, keys: 1 + 2 * range.count, arguments: 4 + 2 * range.count)
            command.word(RedisKeys.marker)
            for sealed in counters[range] { command.keys(of: sealed.counter.item) }
            command.word(generation.marker.utf8)
            command.word(generation.token.utf8)
            command.word(channels.counters)
            command.word(paceMs)
            command.words(counters[range])
        case .drop(let generation, let kept):
            command.beginScript(hash, keys: 2 * range.count, arguments: range.count)
            for kept in kept[range] { command.keys(of: kept.item) }
            for kept in kept[range] { command.word(generation.versionPrefix + kept.word) }
        case .keepRecent(let changes): write(changes[range], to: &command, hash, configuration)
        }
    }

    private func write(
        _ entries: ArraySlice<AdmissionEntry>, to command: inout RedisCommand, _ hash: [UInt8],
        _ configuration: Configuration
    ) {
        command.beginScript(hash, keys: 2 * entries.count, arguments: 2 + entries.count)
        for entry in entries {
            command.word(RedisKeys.rate, entry.pair.user)
            command.word(RedisKeys.recentLikes, entry.pair.user)
        }
        command.word(configuration.rateLimitRequests)
        command.word(configuration.rateLimitWindowSeconds)
        for entry in entries {
            switch entry.kind {
            case .like: command.word(entry.pair.item)
            case .unlike: command.word("")
            }
        }
    }

    private func write(
        _ changes: ArraySlice<RecentLike>, to command: inout RedisCommand, _ hash: [UInt8],
        _ configuration: Configuration
    ) {
        let adds = changes.filter(\.add)
        let removals = changes.filter { !$0.add }
        command.beginScript(hash, keys: changes.count, arguments: 3 + changes.count)
        for change in adds { command.word(RedisKeys.recentLikes, change.pair.user) }
        for change in removals { command.word(RedisKeys.recentLikes, change.pair.user) }
        command.word(configuration.recentLikesTTLSeconds)
        command.word(configuration.recentLikesMax)
        command.word(Int64(adds.count))
        for change in adds { command.word(change.pair.item) }
        for change in removals { command.word(change.pair.item) }
    }
}

extension RedisCommand {
    fileprivate mutating func beginScript(_ hash: [UInt8], keys: Int, arguments: Int) {
        begin(words: 3 + keys + arguments)
        word("EVALSHA")
        word(hash)
        word(Int64(keys))
    }

    /// For each counter its count, and its version with its seal.
    fileprivate mutating func words(_ counters: ArraySlice<SealedCounter>) {
        for sealed in counters {
            word(sealed.counter.count)
            word(sealed: sealed)
        }
    }

    /// A counter's key and its version's.
    fileprivate mutating func keys(of item: Item) {
        word(RedisKeys.counter, item)
        word(RedisKeys.version, item)
    }
}
