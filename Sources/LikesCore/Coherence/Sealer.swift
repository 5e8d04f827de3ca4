import LikesProtocol
import LikesStorage

/// Seals what this host puts into Redis, and tells what this database's hosts have put there from what a stranger has.
///
/// A stranger who may write to Redis can still put back what a host sealed earlier. So a seal says when PostgreSQL was
/// asked, by PostgreSQL's own clock, and is not believed for long: `Limits.sealAgeMsMax`.
struct Sealer {
    private(set) var secret: Secret?
    private let typeNames: [String]
    private var clock = DatabaseClock()
    /// The keys for the last tokens, one for each type; those used last come first.
    private var keys: [(token: String, ofTypes: [CounterKey])] = []
    /// More than a cluster has nodes as a rule. A node beyond that costs four more digests with each change of token.
    private static let tokensMax = 64

    init(_ types: ItemTypes) { typeNames = types.names }

    /// Whether anything can be sealed.
    var isReady: Bool { secret != nil && clock.isKnown }

    /// True: the secret is new to this host.
    mutating func learn(_ secret: Secret) -> Bool {
        guard secret != self.secret else { return false }
        self.secret = secret
        keys = []
        return true
    }

    /// `seconds`: PostgreSQL's clock at some moment between the two given. True: it was set back.
    mutating func learn(seconds: Int64, askedAt: Instant, heardAt: Instant) -> Bool {
        clock.learn(seconds: seconds, askedAt: askedAt, heardAt: heardAt)
    }

    // MARK: Counters

    /// Seals a counter for data with this token. PostgreSQL was asked at `askedAt` or later.
    mutating func seal(_ counter: CounterState, token: String, askedAt: Instant) -> SealedCounter {
        guard let key = key(of: counter, token: token) else { preconditionFailure("a seal without a secret") }
        let seconds = clock.secondBegun(at: askedAt)
        return SealedCounter(
            counter: counter, seal: Seal(seconds: seconds, digest: key.digest(counter, seconds: seconds)))
    }

    /// Whether a host of this database sealed the counter for data with this token.
    mutating func isGenuine(_ sealed: SealedCounter, token: String) -> Bool {
        key(of: sealed.counter, token: token)?.hasSealed(sealed) ?? false
    }

    /// Whether it was sealed recently enough to be believed.
    func isRecent(_ sealed: SealedCounter, now: Instant) -> Bool { clock.isRecent(sealed.seal.seconds, now: now) }

    /// How long a counter from Redis is fresh in the local cache at most, in seconds, 1 or more. It ends by
    /// `Limits.sealedCacheMsMax` after PostgreSQL was asked. nil: the counter is not recent.
    func cachedSecondsMax(_ sealed: SealedCounter, now: Instant) -> Int? {
        guard isRecent(sealed, now: now), let asked = clock.lastMoment(before: sealed.seal.seconds) else { return nil }
        return Int((Limits.sealedCacheMsMax - now.ms(since: asked)) / 1_000)
    }

    /// nil: there is no secret.
    private mutating func key(of counter: CounterState, token: String) -> CounterKey? {
        guard let secret else { return nil }
        if keys.first?.token != token { putFirst(token, secret) }
        return keys[0].ofTypes[Int(counter.item.type)]
    }

    private mutating func putFirst(_ token: String, _ secret: Secret) {
        if let place = keys.firstIndex(where: { $0.token == token }) { return keys.swapAt(0, place) }
        if keys.count == Self.tokensMax { keys.removeLast() }
        keys.insert((token, typeNames.map { secret.counterKey(token: token, type: $0) }), at: 0)
    }

    // MARK: Markers

    /// Whether a host of this database made the marker. Without a secret nobody can tell, and the answer is yes.
    func isGenuine(_ generation: Generation) -> Bool { secret.map { generation.isSealed(by: $0) } ?? true }
}

/// The primary's time, in seconds since 1970, known to lie between two bounds.
struct DatabaseClock {
    /// The primary's clock minus this host's, in microseconds.
    private var offset: ClosedRange<Int64>?

    var isKnown: Bool { offset != nil }

    /// True: the clock was set back by more than `Limits.sealAheadMsMax`.
    mutating func learn(seconds: Int64, askedAt: Instant, heardAt: Instant) -> Bool {
        guard (0...Seal.secondsMax).contains(seconds), askedAt <= heardAt else { return false }
        let least = seconds * 1_000_000 - heardAt.microseconds
        // The clock's second began at most a second ago.
        let most = (seconds + 1) * 1_000_000 - askedAt.microseconds
        // Earlier bounds that still hold are kept, since an answer that took long has wide ones.
        if let offset, max(offset.lowerBound, least) <= min(offset.upperBound, most) {
            self.offset = max(offset.lowerBound, least)...min(offset.upperBound, most)
            return false
        }
        let before = offset
        offset = least...most
        return before.map { most < $0.lowerBound - Limits.sealAheadMsMax * 1_000 } ?? false
    }

    /// The whole second that had certainly begun at this moment.
    func secondBegun(at moment: Instant) -> Int64 {
        guard let offset else { return 0 }
        return min(max(0, (moment.microseconds + offset.lowerBound) / 1_000_000), Seal.secondsMax)
    }

    /// The last moment here at which the clock had certainly not passed the beginning of that second.
    func lastMoment(before seconds: Int64) -> Instant? {
        offset.map { Instant(microseconds: seconds * 1_000_000 - $0.upperBound) }
    }

    /// Whether that second is certainly no more than `Limits.sealAgeMsMax` ago. A second far in the future comes from
    /// another clock.
    func isRecent(_ seconds: Int64, now: Instant) -> Bool {
        guard let offset else { return false }
        let latest = now.microseconds + offset.upperBound - seconds * 1_000_000
        let earliest = now.microseconds + offset.lowerBound - seconds * 1_000_000
        return latest <= Limits.sealAgeMsMax * 1_000 && earliest >= -Limits.sealAheadMsMax * 1_000
    }
}
