import LikesCore
import LikesProtocol

/// One thing asked of Redis, whole; it goes out in slices of what one command may hold.
enum RedisJob {
    case admit(CallID, [AdmissionEntry])
    case readCounters(CallID, [Item])
    /// Nobody waits when there is no call.
    case setCounters(CallID?, [CounterState])
    case keepRecent(CallID, [RecentLike])

    var call: CallID? {
        switch self {
        case .admit(let call, _), .readCounters(let call, _), .keepRecent(let call, _): call
        case .setCounters(let call, _): call
        }
    }

    private var count: Int {
        switch self {
        case .admit(_, let entries): entries.count
        case .readCounters(_, let items): items.count
        case .setCounters(_, let counters): counters.count
        case .keepRecent(_, let changes): changes.count
        }
    }

    private var sliceMax: Int {
        switch self {
        case .admit: EdgeLimits.admissionEntriesPerScript
        case .readCounters: EdgeLimits.itemsPerMGET
        case .setCounters, .keepRecent: EdgeLimits.writesPerScript
        }
    }

    /// Its slices, in order; none when there is nothing to do.
    var slices: [RedisSlice] {
        stride(from: 0, to: count, by: sliceMax).map {
            RedisSlice(job: self, range: $0..<min($0 + sliceMax, count))
        }
    }
}

/// What one command to Redis carries.
struct RedisSlice {
    let job: RedisJob
    /// Which of the job's entries.
    let range: Range<Int>
    /// Sent again after Redis had lost the script. It is not sent a third time.
    var isRepeated = false

    init(job: RedisJob, range: Range<Int>) {
        self.job = job
        self.range = range
    }

    /// The script it runs, nil for a plain command.
    var script: Script? {
        switch job {
        case .admit: .admit
        case .readCounters: nil
        case .setCounters: .setCounters
        case .keepRecent: .keepRecent
        }
    }

    /// Writes the command, with the script's hash where it runs one.
    func write(to command: inout RedisCommand, hash: [UInt8], configuration: Configuration) {
        let count = Int64(range.count)
        switch job {
        case .admit(_, let entries):
            command.beginScript(hash, keys: 2 * count, arguments: 2 + count)
            for entry in entries[range] {
                command.word("rate:", entry.pair.user, ":likes")
                command.word("recent_likes:", entry.pair.user, "")
            }
            command.word(configuration.rateLimitRequests)
            command.word(configuration.rateLimitWindowSeconds)
            for entry in entries[range] {
                switch entry.kind {
                case .like: command.word("", entry.pair.item, "")
                case .unlike: command.word("")
                }
            }
        case .readCounters(_, let items):
            command.begin(words: 1 + 2 * range.count)
            command.word("MGET")
            for item in items[range] {
                command.word("counter:", item, "")
                command.word("{counter:", item, "}:version")
            }
        case .setCounters(_, let counters):
            command.beginScript(hash, keys: 2 * count, arguments: 1 + 2 * count)
            for counter in counters[range] {
                command.word("counter:", counter.item, "")
                command.word("{counter:", counter.item, "}:version")
            }
            command.word(configuration.cacheTTLSeconds)
            for counter in counters[range] {
                command.word(counter.count)
                command.word(counter.version)
            }
        case .keepRecent(_, let changes):
            command.beginScript(hash, keys: count, arguments: 2 + count)
            for change in changes[range] { command.word("recent_likes:", change.pair.user, "") }
            command.word(configuration.recentLikesTTLSeconds)
            command.word(configuration.recentLikesMax)
            for change in changes[range] {
                if change.add {
                    command.word("+", change.pair.item, "")
                } else {
                    command.word("-", change.pair.item, "")
                }
            }
        }
    }
}

extension RedisCommand {
    fileprivate mutating func beginScript(_ hash: [UInt8], keys: Int64, arguments: Int64) {
        begin(words: 3 + Int(keys + arguments))
        word("EVALSHA")
        word(hash)
        word(keys)
    }
}
