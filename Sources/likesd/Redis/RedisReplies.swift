import LikesCore
import LikesProtocol
import LikesStorage

/// A call under way: its replies so far, and how many slices are still out. The outcome of a call in several slices is
/// the worst of theirs.
struct RedisReplies {
    private(set) var slicesLeft: Int
    private(set) var verdicts: [AdmissionVerdict] = []
    private(set) var counters: [SealedCounter?] = []
    /// nil: not asked for.
    private(set) var marker: FoundMarker?
    /// What Redis had and kept, because it looks newer.
    private(set) var kept: [KeptCounter] = []
    /// What Redis took and told nobody of.
    private(set) var untold: [SealedCounter] = []
    private(set) var outcomes: [TellingOutcome] = []
    private(set) var failure: RedisFailure?
    /// Redis had no room, and dropped counters instead of keeping old ones.
    private(set) var refusal: String?
    private var moved: Moved
    /// What to send before the answer is whole.
    private var more: [RedisSlice] = []

    private struct Moved {
        var items: [Item] = []
        var isSome = false
        /// Where the node answers, for what it says about others.
        let host: String
    }

    /// In a cluster: what the node did not set, because it does not have their keys.
    var elsewhere: [Item] { moved.items }
    /// Something was not where the map of slots says.
    var hasMoved: Bool { moved.isSome }

    init(slicesLeft: Int, host: String = "") {
        self.slicesLeft = slicesLeft
        moved = Moved(host: host)
    }

    /// What else the call takes, once all slices have come back: they come back as well.
    mutating func takeMore() -> [RedisSlice] {
        guard slicesLeft == 0, !more.isEmpty else { return [] }
        defer { more = [] }
        slicesLeft = more.count
        return more
    }

    /// The answer to the whole call, once all slices have come back. `server`: `RedisServerFacts.name`.
    func answer(to request: RedisRequest, of server: String) -> RedisAnswer {
        if let failure { return .failed(failure) }
        return switch request {
        case .identify: .identified(marker ?? FoundMarker(text: "", server: server))
        case .admit: .admitted(verdicts)
        case .readCounters: .countersRead(counters)
        case .writeThrough: .wroteThrough(refusal: refusal, kept: kept, untold: untold, elsewhere: elsewhere)
        case .fill: .filled(kept: kept)
        case .drop: .dropped
        case .tell: .told(outcomes)
        }
    }

    /// One slice came back, and what had to come before it was refused.
    mutating func refuse(_ error: String) {
        slicesLeft -= 1
        fail(.refused(error))
    }

    /// Takes the reply to one slice.
    mutating func take(_ reply: ReplyView, of slice: RedisSlice) {
        slicesLeft -= 1
        if let error = reply.errorText { return take(error: error, of: slice) }
        switch (slice.kind, slice.job) {
        case (.whole, .admit(let entries, _)), (.rate, .admit(let entries, _)):
            takeVerdicts(reply, of: slice, entries)
        case (.hint, .admit): takeHint(reply, of: slice)
        case (.marker, _): takeMarker(reply, of: slice)
        case (.unlinkCounter, _), (.unlinkVersion, _): if reply.integer == nil { misfit() }
        case (_, .readCounters(let expected, let items)): takeCounters(reply, of: slice, expected, items)
        case (_, .setCounters(_, let counters, let paceMs)):
            // The script's words for it.
            if let words = reply.string {
                refusal = refusal ?? RedisError.text(words)
            } else {
                switch reply.integer {
                case 1: return
                case 0: fail(.late)
                case -1: fail(.otherGeneration)
                case nil: takeReport(reply, of: slice, counters, isFill: paceMs == nil)
                default: misfit()
                }
            }
        case (_, .identify(let server, _)):
            guard let text = reply.string.map({ String(decoding: $0, as: UTF8.self) }) else { return misfit() }
            marker = FoundMarker(text: text, server: server)
        case (_, .tell(_, let counters, _)): takeOutcomes(reply, of: slice, counters)
        case (_, .drop), (_, .keepRecent):
            guard let number = reply.integer else { return misfit() }
            if number < 0 { moved.isSome = true }
        case (.rate, _), (.hint, _): preconditionFailure("an admission's part without one")
        }
    }

    private mutating func take(error: String, of slice: RedisSlice) {
        if slice.style != .oneServer, RedisError.isElsewhere(error) { return takeElsewhere(error, of: slice) }
        switch (slice.kind, slice.job) {
        // Losing recent likes only costs hints.
        case (_, .keepRecent) where RedisError.isOutOfMemory(error): refusal = refusal ?? error
        case (.hint, _) where error.hasPrefix("WRONGTYPE"): return
        default: fail(.refused(error))
        }
    }

    /// The node does not have what the whole command is about.
    private mutating func takeElsewhere(_ error: String, of slice: RedisSlice) {
        moved.isSome = true
        let place = slice.range.lowerBound
        switch (slice.kind, slice.job) {
        case (.rate, .admit(let entries, _)):
            beginVerdicts(entries.count)
            verdicts[place] = .elsewhere(RedisRedirect(error: error, askedHost: moved.host))
        case (.hint, _), (.unlinkCounter, _), (.unlinkVersion, _): return
        case (_, .drop), (_, .keepRecent):
            if RedisError.isClusterDown(error) { fail(.refused(RedisError.clusterDown)) }
        case (.whole, .readCounters(_, let items)) where slice.style == .strictCluster: beginCounters(items.count)
        case (.whole, .tell(_, let counters, _)) where slice.style == .strictCluster: beginOutcomes(counters.count)
        case (.whole, .setCounters(_, let counters, let paceMs)) where slice.style == .strictCluster:
            if paceMs != nil { moved.items.append(counters[place].counter.item) }
            // It has one of the two keys.
            if error.hasPrefix("TRYAGAIN") { more += slice.halves }
        // Tried again as soon as the cluster has changed.
        case (_, .identify): fail(RedisError.isClusterDown(error) ? .clusterDown : .elsewhere)
        default: fail(RedisError.isClusterDown(error) ? .refused(RedisError.clusterDown) : .elsewhere)
        }
    }

    private mutating func beginVerdicts(_ count: Int) {
        if verdicts.isEmpty { verdicts = Array(repeating: .admitted(recent: false), count: count) }
    }

    private mutating func takeVerdicts(_ reply: ReplyView, of slice: RedisSlice, _ entries: [AdmissionEntry]) {
        beginVerdicts(entries.count)
        guard reply.elementCount == slice.range.count else { return misfit() }
        for (offset, place) in slice.range.enumerated() {
            guard let verdict = reply.element(offset)?.integer, verdict >= -Int64.max else { return misfit() }
            switch verdict {
            case ..<0: verdicts[place] = .limited(retrySeconds: -verdict)
            case 2 where slice.style != .oneServer:
                moved.isSome = true
                verdicts[place] = .elsewhere(nil)
                // The node says who has it if the key is declared.
                if slice.kind == .whole { more += slice.parts(of: place, entries[place]) }
            default:
                if verdict == 3 { moved.isSome = true }
                // The look at the recent likes may have been first.
                if verdicts[place] != .admitted(recent: true) { verdicts[place] = .admitted(recent: verdict == 1) }
            }
        }
    }

    private mutating func takeHint(_ reply: ReplyView, of slice: RedisSlice) {
        guard let found = reply.integer, case .admit(let entries, _) = slice.job else { return misfit() }
        beginVerdicts(entries.count)
        let place = slice.range.lowerBound
        if found == 1, case .admitted = verdicts[place] { verdicts[place] = .admitted(recent: true) }
    }

    private mutating func takeMarker(_ reply: ReplyView, of slice: RedisSlice) {
        guard let expected = slice.job.generation, reply.elementCount == 1 else { return misfit() }
        let marker = reply.element(0)?.string
        if marker?.elementsEqual(expected.marker.utf8) != true { fail(.otherGeneration) }
    }

    private mutating func beginCounters(_ count: Int) {
        if counters.isEmpty { counters = Array(repeating: nil, count: count) }
    }

    /// The marker, then each counter and its version. Behind them, in a cluster, how many are elsewhere.
    private mutating func takeCounters(
        _ reply: ReplyView, of slice: RedisSlice, _ expected: Generation, _ items: [Item]
    ) {
        beginCounters(items.count)
        let hasMarker = slice.style != .strictCluster
        let first = hasMarker ? 1 : 0
        let count = first + 2 * slice.range.count
        if slice.style == .cluster, reply.elementCount == count + 1 {
            guard reply.element(count)?.integer != nil else { return misfit() }
            moved.isSome = true
        } else if reply.elementCount != count {
            return misfit()
        }
        if hasMarker {
            guard let marker = reply.element(0)?.string, marker.elementsEqual(expected.marker.utf8) else {
                return fail(.otherGeneration)
            }
        }
        let prefix = expected.versionPrefix
        for (offset, place) in slice.range.enumerated() {
            guard let count = reply.element(first + 2 * offset)?.count,
                let text = reply.element(first + 1 + 2 * offset)?.string, text.starts(with: prefix),
                let sealed = text.dropFirst(prefix.count).withUnsafeBytes({
                    SealedCounter(item: items[place], count: count, value: $0)
                })
            else { continue }
            counters[place] = sealed
        }
    }

    /// The number of untold counters and their places in the slice, from 1; then the places of those that Redis kept,
    /// and for each the count, and the version with its seal. In a cluster, in front of all that, the number of those
    /// that are elsewhere, negative, and their places; then words may follow instead.
    private mutating func takeReport(
        _ reply: ReplyView, of slice: RedisSlice, _ counters: [SealedCounter], isFill: Bool
    ) {
        let places = 1...Int64(slice.range.count)
        let base = slice.range.lowerBound - 1
        guard let count = reply.elementCount, count > 0 else { return misfit() }
        var start = 0
        if slice.style != .oneServer, let number = reply.element(0)?.integer, (-places.upperBound..<0).contains(number)
        {
            start = 1 + Int(-number)
            guard count > start else { return misfit() }
            moved.isSome = true
            for found in 1..<start {
                guard let place = reply.element(found)?.integer, places.contains(place) else { return misfit() }
                if !isFill { moved.items.append(counters[base + Int(place)].counter.item) }
            }
            if let words = reply.element(start)?.string {
                refusal = refusal ?? RedisError.text(words)
                return
            }
        }
        guard let number = reply.element(start)?.integer, (0...places.upperBound).contains(number),
            count > start + Int(number), (count - start - 1 - Int(number)) % 3 == 0
        else { return misfit() }
        let firstKept = start + 1 + Int(number)
        for found in (start + 1)..<firstKept {
            guard let place = reply.element(found)?.integer, places.contains(place) else { return misfit() }
            untold.append(counters[base + Int(place)])
        }
        for first in stride(from: firstKept, to: count, by: 3) {
            guard let place = reply.element(first)?.integer, places.contains(place),
                let number = reply.element(first + 1), let word = reply.element(first + 2)?.string
            else { return misfit() }
            let item = counters[base + Int(place)].counter.item
            let sealed = number.count.flatMap { number in
                word.withUnsafeBytes { SealedCounter(item: item, count: number, word: $0) }
            }
            kept.append(KeptCounter(item: item, counter: sealed, word: Array(word)))
        }
    }

    private mutating func beginOutcomes(_ count: Int) {
        if outcomes.isEmpty { outcomes = Array(repeating: .gone, count: count) }
    }

    private mutating func takeOutcomes(_ reply: ReplyView, of slice: RedisSlice, _ counters: [SealedCounter]) {
        beginOutcomes(counters.count)
        if reply.integer == -1 { return fail(.otherGeneration) }
        guard reply.elementCount == slice.range.count else { return misfit() }
        for (offset, place) in slice.range.enumerated() {
            switch reply.element(offset)?.integer {
            case 1: outcomes[place] = .told
            case 0: outcomes[place] = .early
            case -1: outcomes[place] = .gone
            case -2 where slice.style != .oneServer:
                outcomes[place] = .gone
                moved.isSome = true
            default: return misfit()
            }
        }
    }

    private mutating func misfit() { fail(.misfit(Misfit("an answer that does not fit its call"))) }

    private mutating func fail(_ new: RedisFailure) {
        if let failure, Self.weight(failure) >= Self.weight(new) { return }
        failure = new
    }

    private static func weight(_ failure: RedisFailure) -> Int {
        switch failure {
        case .refused, .clusterDown: 1
        case .elsewhere: 2
        case .late: 3
        case .otherGeneration: 4
        case .misfit: 5
        }
    }
}

extension RedisSlice {
    /// What of one entry's counter may be left.
    fileprivate var halves: [RedisSlice] { [with(.unlinkCounter, range), with(.unlinkVersion, range)] }

    /// One entry of an admission, asked so that the node says who has its rate.
    fileprivate func parts(of place: Int, _ entry: AdmissionEntry) -> [RedisSlice] {
        let range = place..<(place + 1)
        return [with(.rate, range)] + (entry.asksForHint ? [with(.hint, range)] : [])
    }

    private func with(_ kind: Kind, _ range: Range<Int>) -> RedisSlice {
        RedisSlice(job: job, range: range, deadlineMs: deadlineMs, style: style, kind: kind)
    }
}
