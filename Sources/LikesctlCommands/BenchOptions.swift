import LikesProtocol

/// What `likesctl bench` is to do, apart from where.
package struct BenchOptions: Equatable, Sendable {
    /// How items are drawn.
    package enum Keys: Equatable, Sendable {
        case uniform
        /// Item n with a probability proportional to n to the power of minus `exponent`, which is above 0 and at most
        /// 10.
        case zipf(exponent: Double)
        /// Always item 1.
        case hot
    }

    /// How often a verb occurs, relative to the weights of all.
    package struct Share: Equatable, Sendable {
        package var verb: BenchVerb
        /// 0 or more.
        package var weight: Int64

        package init(verb: BenchVerb, weight: Int64) {
            self.verb = verb
            self.weight = weight
        }
    }

    /// Requests per second of an open loop; nil: a closed loop.
    package var rate: Int64?
    package var connections = 50
    /// Requests each connection of a closed loop holds under way.
    package var pipeline = 1
    /// Seconds measured; nil if not given.
    package var duration: Double?
    /// Requests measured; nil: as many as the duration allows.
    package var requests: Int64?
    /// Seconds of the warm-up, which is not measured.
    package var warmup = 0.0
    /// Each verb once; not all weights are 0.
    package var mix = [Share(verb: .count, weight: 1)]
    /// Users are 1 … users.
    package var users: Int64 = 1_000_000
    /// Items are 1 … items.
    package var items: Int64 = 100_000
    package var type = "post"
    package var keys = Keys.uniform
    /// Items of one MCOUNT or MLIKED.
    package var batch = 50
    package var seed: Int64 = 1
    package var mayWrite = false

    package static let durationDefault = 10.0
    package static let zipfExponentDefault = 0.99

    /// Connections; by default the daemon takes 4,096 (MAX_CONNECTIONS).
    package static let connectionsMax: Int64 = 10_000
    /// Requests that one connection holds under way in a closed loop: the daemon accepts no more at once.
    package static let pipelineMax: Int64 = 1_024
    /// Requests per second; more than any daemon serves.
    package static let rateMax: Int64 = 10_000_000
    package static let requestsMax: Int64 = 1_000_000_000_000
    /// Users and items: numbers up to here are exact in a Double, in which Zipf's law is computed.
    package static let populationMax: Int64 = 1 << 53
    /// Items of one MCOUNT or MLIKED.
    package static let batchMax = Int64(WireLimits.itemsPerRequestMax)
    /// Seconds measured, at least.
    static let durationMin = 0.001
    /// Seconds of a run, or of its warm-up.
    static let secondsMax = 604_800.0
    static let zipfExponentMax = 10.0

    package init() {}

    /// Seconds measured; nil: until the requests are sent.
    package var durationEffective: Double? { duration ?? (requests == nil ? Self.durationDefault : nil) }

    // MARK: Values

    static func mix(_ value: String) throws(Failure) -> [Share] {
        var mix: [Share] = []
        for part in value.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = part.split(separator: "=", omittingEmptySubsequences: false)
            guard let verb = BenchVerb.allCases.first(where: { $0.name.lowercased() == sides[0].lowercased() }) else {
                let names = BenchVerb.allCases.map { $0.name.lowercased() }.joined(separator: ", ")
                throw Failure(.usage, "--mix: there is no '\(sides[0])': there are \(names), as in count=80,like=20")
            }
            guard sides.count <= 2, !mix.contains(where: { $0.verb == verb }) else {
                throw Failure(.usage, "--mix: '\(value)' is not a mix: name each verb once, as in count=80,like=20")
            }
            let weight = sides.count == 2 ? try OptionValue.whole("--mix", String(sides[1]), 0...1_000_000) : 1
            mix.append(Share(verb: verb, weight: weight))
        }
        guard mix.contains(where: { $0.weight > 0 }) else { throw Failure(.usage, "--mix: all weights are 0") }
        return mix
    }

    static func keys(_ value: String) throws(Failure) -> Keys {
        switch value {
        case "uniform": return .uniform
        case "hot": return .hot
        case "zipf": return .zipf(exponent: zipfExponentDefault)
        case _ where value.hasPrefix("zipf:"):
            if let exponent = OptionValue.decimal(value.dropFirst("zipf:".count)), exponent > 0,
                exponent <= zipfExponentMax
            {
                return .zipf(exponent: exponent)
            }
            throw Failure(.usage, "--keys: the exponent of zipf:S is more than 0 and at most 10, as in zipf:0.99")
        default: throw Failure(.usage, "--keys takes uniform, zipf, zipf:S or hot, not '\(value)'")
        }
    }

    static func type(_ value: String) throws(Failure) -> String {
        let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
        let isName = value.utf8.allSatisfy {
            letters.contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "_")
                || $0 == UInt8(ascii: "-")
        }
        guard isName, let first = value.utf8.first, letters.contains(first), value.utf8.count <= 32 else {
            throw Failure(.usage, "--type: '\(value)' is not an item type: 1 to 32 of a-z 0-9 _ -, a letter first")
        }
        return value
    }
}
