import LikesCore
import LikesProtocol
import LikesSimulation
import LikesStorage

/// What is done to the simulated Redis and to the real one.
enum RedisOperation {
    /// A call of the core's. `isLate`: Redis comes to it long after its deadline, otherwise long before.
    case call(RedisRequest, isLate: Bool)
    case beat(UInt64)
    case flush
    /// A single key goes.
    case drop(StoredKey)
    /// A counter goes with its version.
    case dropCounter(Int)
    /// All TTLs are shorter by this.
    case pass(seconds: Int64)
    /// The server is another one from now on, with its data or without.
    case restart(isEmpty: Bool)
    /// Somebody else's marker.
    case plant(Generation)
    /// Memory is short.
    case fill(Bool)
    /// No writes are taken.
    case refuse(Bool)
}

/// What a call came to. An error's words are the server's, so all errors count as one.
enum RedisOutcome: Equatable {
    case identified(Generation, isOfThisLife: Bool)
    case admitted([AdmissionVerdict])
    case read([SealedCounter?])
    case wroteThrough(isShort: Bool, kept: [KeptCounter], untold: [SealedCounter])
    case told([TellingOutcome])
    case filled(kept: [KeptCounter])
    case dropped
    case late, otherGeneration, refused
    /// There is no answer.
    case nothing

    /// The same, apart from the time that the test takes.
    func agrees(with other: RedisOutcome) -> Bool {
        guard case .admitted(let mine) = self, case .admitted(let others) = other else { return self == other }
        guard mine.count == others.count else { return false }
        return zip(mine, others).allSatisfy { mine, other in
            guard case .limited(let mine) = mine, case .limited(let other) = other else { return mine == other }
            return RedisContents.isSameTime(mine, other)
        }
    }

    init(_ marker: FoundMarker) {
        self = marker.generation.map { .identified($0, isOfThisLife: marker.isOfThisLife) } ?? .nothing
    }

    init(_ answer: RedisAnswer) {
        switch answer {
        case .identified(let marker): self.init(marker)
        case .admitted(let verdicts): self = .admitted(verdicts)
        case .countersRead(let counters): self = .read(counters)
        case .wroteThrough(let refusal, let kept, let untold, _):
            self = .wroteThrough(isShort: refusal != nil, kept: kept, untold: untold)
        case .told(let outcomes): self = .told(outcomes)
        case .filled(let kept): self = .filled(kept: kept)
        case .dropped: self = .dropped
        case .failed(let failure): self.init(failure)
        }
    }

    init(_ failure: RedisFailure) {
        switch failure {
        case .late: self = .late
        case .otherGeneration: self = .otherGeneration
        case .refused, .misfit, .elsewhere, .clusterDown: self = .refused
        }
    }
}

/// A message, as a subscriber of both channels hears it.
enum RedisMessage: Equatable {
    case counters(token: String, [SealedCounter])
    case beat(UInt64)
    /// None of likesd's.
    case unknown(String)
}
