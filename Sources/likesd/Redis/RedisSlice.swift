import LikesCore
import LikesProtocol
import LikesSettings
import LikesStorage

/// What one command to Redis carries.
struct RedisSlice {
    let job: RedisJob
    /// Which of the job's entries.
    let range: Range<Int>
    let deadlineMs: Int64
    let style: RedisStyle
    let kind: Kind

    enum Kind: Equatable {
        /// All that the job does for its entries.
        case whole
        // In a cluster:
        /// An admission's rate, with its key declared, so that the node says which other one has it.
        case rate
        /// An admission's look at the recent likes, by a plain command.
        case hint
        /// Whether the marker is still as it must be. Before and behind entries whose scripts cannot look at it.
        case marker
        /// Deletes a counter, or its version, that was left without the other.
        case unlinkCounter, unlinkVersion
    }

    /// Where a server has what is not an item's or a user's.
    struct Place {
        /// The key of the marker.
        var marker = Array("\(RedisKeys.marker)".utf8)
        var channels: RedisChannels
    }

    /// The script it runs, nil for a plain command.
    var script: Script? {
        switch (kind, job) {
        case (.hint, _), (.marker, _), (.unlinkCounter, _), (.unlinkVersion, _): nil
        case (_, .identify): .identify
        case (_, .admit): .admit
        case (_, .setCounters): .setCounters
        case (_, .drop): .drop
        case (_, .keepRecent): .keepRecent
        case (_, .tell): .tell
        case (_, .readCounters): style == .cluster ? .read : nil
        }
    }

    /// Which of the script's texts; nil for a plain command.
    var form: Script.Form? { script.flatMap(style.form) }

    /// Whether ASKING has to come first.
    var isAsking: Bool {
        if case .admit(_, true) = job { return kind == .rate }
        return false
    }

    /// Writes the command, with the script's hash where it runs one.
    func write(to command: inout RedisCommand, hash: [UInt8], configuration: Configuration, at place: Place) {
        switch kind {
        case .whole: writeWhole(to: &command, hash, configuration, place)
        case .rate, .hint:
            guard case .admit(let entries, _) = job else { preconditionFailure("an admission's part without one") }
            let entry = entries[range.lowerBound]
            if kind == .rate { command.rate(entry, hash, configuration) } else { command.hint(entry) }
        case .marker:
            command.begin(words: 2)
            command.word("MGET")
            command.word(place.marker)
        case .unlinkCounter, .unlinkVersion:
            guard case .setCounters(_, let counters, _) = job else { preconditionFailure("a half without a counter") }
            command.begin(words: 2)
            command.word("UNLINK")
            command.word(
                kind == .unlinkCounter ? RedisKeys.counter : RedisKeys.version,
                counters[range.lowerBound].counter.item)
        }
    }

    private func writeWhole(
        to command: inout RedisCommand, _ hash: [UInt8], _ configuration: Configuration, _ place: Place
    ) {
        switch job {
        case .identify(let server, let request):
            // The marker's key is the only one, and declared everywhere.
            command.beginScript(hash, .oneServer, marker: place.marker, keys: 0, arguments: 2)
            command.word((request.new?.generation(on: server).marker ?? "").utf8)
            command.word((request.new?.instead ?? "").utf8)
        case .admit(let entries, _): write(entries[range], to: &command, hash, configuration)
        case .readCounters(_, let items):
            switch style {
            case .cluster: command.beginScript(hash, style, marker: place.marker, keys: 2 * range.count, arguments: 0)
            case .oneServer:
                command.begin(words: 2 + 2 * range.count)
                command.word("MGET")
                command.word(place.marker)
            case .strictCluster:
                command.begin(words: 1 + 2 * range.count)
                command.word("MGET")
            }
            for item in items[range] { command.keys(of: item) }
        case .setCounters(let generation, let counters, let paceMs):
            command.beginScript(
                hash, style, marker: place.marker, keys: 2 * range.count, arguments: 6 + 2 * range.count)
            for sealed in counters[range] { command.keys(of: sealed.counter.item) }
            command.word(generation.marker.utf8)
            command.word(generation.token.utf8)
            command.word(deadlineMs)
            command.word(configuration.cacheTTLSeconds)
            if paceMs != nil { command.word(place.channels.counters) } else { command.word("") }
            command.word(paceMs ?? Limits.standard.tellMs)
            command.words(counters[range])
        case .tell(let generation, let counters, let paceMs):
            command.beginScript(
                hash, style, marker: place.marker, keys: 2 * range.count, arguments: 4 + 2 * range.count)
            for sealed in counters[range] { command.keys(of: sealed.counter.item) }
            command.word(generation.marker.utf8)
            command.word(generation.token.utf8)
            command.word(place.channels.counters)
            command.word(paceMs)
            command.words(counters[range])
        case .drop(let generation, let kept):
            command.beginScript(hash, style, keys: 2 * range.count, arguments: range.count)
            for kept in kept[range] { command.keys(of: kept.item) }
            for kept in kept[range] { command.word(generation.versionPrefix + kept.word) }
        case .keepRecent(let changes): write(changes[range], to: &command, hash, configuration)
        }
    }

    private func write(
        _ entries: ArraySlice<AdmissionEntry>, to command: inout RedisCommand, _ hash: [UInt8],
        _ configuration: Configuration
    ) {
        command.beginScript(hash, style, keys: 2 * entries.count, arguments: 2 + entries.count)
        for entry in entries {
            // Only a cluster is asked for parts, and there keys need not be keys.
            if entry.part == .hint { command.word("") } else { command.word(RedisKeys.rate, entry.pair.user) }
            command.word(RedisKeys.recentLikes, entry.pair.user)
        }
        command.word(configuration.rateLimitRequests)
        command.word(configuration.rateLimitWindowSeconds)
        for entry in entries { if entry.asksForHint { command.word(entry.pair.item) } else { command.word("") } }
    }

    private func write(
        _ changes: ArraySlice<RecentLike>, to command: inout RedisCommand, _ hash: [UInt8],
        _ configuration: Configuration
    ) {
        let adds = changes.filter(\.add)
        let removals = changes.filter { !$0.add }
        command.beginScript(hash, style, keys: changes.count, arguments: 3 + changes.count)
        for change in adds { command.word(RedisKeys.recentLikes, change.pair.user) }
        for change in removals { command.word(RedisKeys.recentLikes, change.pair.user) }
        command.word(configuration.recentLikesTTLSeconds)
        command.word(configuration.recentLikesMax)
        command.word(Int64(adds.count))
        for change in adds { command.word(change.pair.item) }
        for change in removals { command.word(change.pair.item) }
    }
}

extension AdmissionEntry {
    var asksForHint: Bool { part != .rate && kind == .like }
}

extension RedisCommand {
    /// Begins a script, up to its marker. The keys follow, then the arguments.
    fileprivate mutating func beginScript(
        _ hash: [UInt8], _ style: RedisStyle, marker: [UInt8]? = nil, keys: Int, arguments: Int
    ) {
        // Only one slot's keys may be declared together.
        let marker = style == .strictCluster ? nil : marker
        let markers = marker == nil ? 0 : 1
        let isGathered = style == .cluster
        begin(words: 3 + markers + (isGathered ? 1 : 0) + keys + arguments)
        word("EVALSHA")
        word(hash)
        word(Int64(isGathered ? markers : markers + keys))
        if let marker { word(marker) }
        if isGathered { word(Int64(keys)) }
    }

    /// The admission script for one entry's rate alone, in the form that gathers its keys.
    fileprivate mutating func rate(_ entry: AdmissionEntry, _ hash: [UInt8], _ configuration: Configuration) {
        begin(words: 9)
        word("EVALSHA")
        word(hash)
        word(1)
        word(RedisKeys.rate, entry.pair.user)
        word(1)
        word("")
        word(configuration.rateLimitRequests)
        word(configuration.rateLimitWindowSeconds)
        word("")
    }

    fileprivate mutating func hint(_ entry: AdmissionEntry) {
        begin(words: 3)
        word("SISMEMBER")
        word(RedisKeys.recentLikes, entry.pair.user)
        word(entry.pair.item)
    }

    mutating func asking() {
        begin(words: 1)
        word("ASKING")
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
