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

    init(slicesLeft: Int) { self.slicesLeft = slicesLeft }

    /// The answer to the whole call, once all slices have come back. `server`: `RedisServerFacts.name`.
    func answer(to request: RedisRequest, of server: String) -> RedisAnswer {
        if let failure { return .failed(failure) }
        return switch request {
        case .identify: .identified(marker ?? FoundMarker(text: "", server: server))
        case .admit: .admitted(verdicts)
        case .readCounters: .countersRead(counters)
        case .writeThrough: .wroteThrough(refusal: refusal, kept: kept, untold: untold)
        case .fill: .filled(kept: kept)
        case .drop: .dropped
        case .tell: .told(outcomes)
        }
    }

    /// Takes the reply to one slice.
    mutating func take(_ reply: ReplyView, of slice: RedisSlice) {
        slicesLeft -= 1
        if let error = reply.errorText { return take(error: error, of: slice) }
        switch slice.job {
        case .admit(let entries): takeVerdicts(reply, of: slice, entries: entries.count)
        case .readCounters(let expected, let items): takeCounters(reply, of: slice, expected, items)
        case .setCounters(_, let counters, _):
            // The script's words for it.
            if let words = reply.string {
                refusal = refusal ?? RedisError.text(words)
            } else {
                switch reply.integer {
                case 1: return
                case 0: fail(.late)
                case -1: fail(.otherGeneration)
                case nil: takeReport(reply, of: slice, counters)
                default: misfit()
                }
            }
        case .identify(let server, _):
            guard let text = reply.string.map({ String(decoding: $0, as: UTF8.self) }) else { return misfit() }
            marker = FoundMarker(text: text, server: server)
        case .tell(_, let counters, _): takeOutcomes(reply, of: slice, counters)
        case .drop, .keepRecent: if reply.integer == nil { misfit() }
        }
    }

    private mutating func take(error: String, of slice: RedisSlice) {
        // Losing recent likes only costs hints.
        if case .keepRecent = slice.job, RedisError.isOutOfMemory(error) {
            refusal = refusal ?? error
        } else {
            fail(.refused(error))
        }
    }

    private mutating func takeVerdicts(_ reply: ReplyView, of slice: RedisSlice, entries: Int) {
        if verdicts.isEmpty { verdicts = Array(repeating: .admitted(recent: false), count: entries) }
        guard reply.elementCount == slice.range.count else { return misfit() }
        for (offset, place) in slice.range.enumerated() {
            guard let verdict = reply.element(offset)?.integer, verdict >= -Int64.max else { return misfit() }
            verdicts[place] = verdict < 0 ? .limited(retrySeconds: -verdict) : .admitted(recent: verdict == 1)
        }
    }

    /// The marker, then each counter and its version.
    private mutating func takeCounters(
        _ reply: ReplyView, of slice: RedisSlice, _ expected: Generation, _ items: [Item]
    ) {
        if counters.isEmpty { counters = Array(repeating: nil, count: items.count) }
        guard reply.elementCount == 1 + 2 * slice.range.count else { return misfit() }
        guard let marker = reply.element(0)?.string, marker.elementsEqual(expected.marker.utf8) else {
            return fail(.otherGeneration)
        }
        let prefix = expected.versionPrefix
        for (offset, place) in slice.range.enumerated() {
            guard let count = reply.element(1 + 2 * offset)?.count,
                let text = reply.element(2 + 2 * offset)?.string, text.starts(with: prefix),
                let sealed = text.dropFirst(prefix.count).withUnsafeBytes({
                    SealedCounter(item: items[place], count: count, value: $0)
                })
            else { continue }
            counters[place] = sealed
        }
    }

    /// The number of untold counters and their places in the slice, from 1; then the places of those that Redis kept,
    /// and for each the count, and the version with its seal.
    private mutating func takeReport(_ reply: ReplyView, of slice: RedisSlice, _ counters: [SealedCounter]) {
        let places = 1...Int64(slice.range.count)
        guard let count = reply.elementCount, count > 0, let number = reply.element(0)?.integer,
            (0...Int64(slice.range.count)).contains(number), count > Int(number), (count - 1 - Int(number)) % 3 == 0
        else { return misfit() }
        for found in 1..<(1 + Int(number)) {
            guard let place = reply.element(found)?.integer, places.contains(place) else { return misfit() }
            untold.append(counters[slice.range.lowerBound + Int(place) - 1])
        }
        for first in stride(from: 1 + Int(number), to: count, by: 3) {
            guard let place = reply.element(first)?.integer, places.contains(place),
                let number = reply.element(first + 1), let word = reply.element(first + 2)?.string
            else { return misfit() }
            let item = counters[slice.range.lowerBound + Int(place) - 1].counter.item
            let sealed = number.count.flatMap { number in
                word.withUnsafeBytes { SealedCounter(item: item, count: number, word: $0) }
            }
            kept.append(KeptCounter(item: item, counter: sealed, word: Array(word)))
        }
    }

    private mutating func takeOutcomes(_ reply: ReplyView, of slice: RedisSlice, _ counters: [SealedCounter]) {
        if outcomes.isEmpty { outcomes = Array(repeating: .gone, count: counters.count) }
        if reply.integer == -1 { return fail(.otherGeneration) }
        guard reply.elementCount == slice.range.count else { return misfit() }
        for (offset, place) in slice.range.enumerated() {
            switch reply.element(offset)?.integer {
            case 1: outcomes[place] = .told
            case 0: outcomes[place] = .early
            case -1: outcomes[place] = .gone
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
        case .refused: 1
        case .late: 2
        case .otherGeneration: 3
        case .misfit: 4
        }
    }
}
