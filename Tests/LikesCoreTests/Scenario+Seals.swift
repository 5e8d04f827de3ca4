import LikesProtocol
import LikesStorage

@testable import LikesCore

// What other hosts of the same database seal.
extension Scenario {
    static func secret(_ number: UInt8) -> Secret {
        let digits = String(repeating: "0\(number)", count: 16)
        guard let secret = Secret(hex: digits) else { preconditionFailure("digits") }
        return secret
    }

    /// PostgreSQL's clock.
    static func seconds(_ now: Instant) -> Int64 { 1_790_000_000 + now.microseconds / 1_000_000 }

    static func seals(_ now: Instant) -> SealFacts { SealFacts(secret: secret, seconds: seconds(now)) }

    /// As another host seals it that has it from PostgreSQL now.
    mutating func sealed(_ counter: CounterState, token: String = Scenario.generation.token) -> SealedCounter {
        sealer.seal(counter, token: token, askedAt: now)
    }

    mutating func kept(_ counters: [CounterState]) -> [KeptCounter] {
        counters.map { counter in
            let sealed = sealed(counter)
            return KeptCounter(
                item: counter.item, counter: sealed, word: Array("\(counter.version):\(sealed.seal.text)".utf8))
        }
    }
}

/// With an empty seal, so that tests can compare counters alone.
func unsealed(_ counter: CounterState) -> SealedCounter {
    SealedCounter(counter: counter, seal: Seal(seconds: 0, digest: 0))
}
