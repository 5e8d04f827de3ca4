import Glibc

/// What `likesctl bench` is asked to do, beyond where.
struct BenchOptions: Equatable {
    /// How items are drawn.
    enum Keys: Equatable {
        case uniform
        /// Item n in proportion to n to the power of minus `exponent`, above 0 and at most 10.
        case zipf(exponent: Double)
        /// Always item 1.
        case hot
    }

    /// How often a verb comes, in proportion to the weights of all.
    struct Share: Equatable {
        var verb: BenchVerb
        /// 0 or more.
        var weight: Int64
    }

    /// Requests per second of an open loop; nil: a closed loop.
    var rate: Int64?
    var connections = 50
    /// Requests each connection of a closed loop holds under way.
    var pipeline = 1
    /// Seconds measured; nil: not told.
    var duration: Double?
    /// Requests measured; nil: as many as the duration allows.
    var requests: Int64?
    /// Seconds run before, not counted.
    var warmup = 0.0
    /// Each verb once; not all weights are 0.
    var mix = [Share(verb: .count, weight: 1)]
    /// Users are 1 … users.
    var users: Int64 = 1_000_000
    /// Items are 1 … items.
    var items: Int64 = 100_000
    var type = "post"
    var keys = Keys.uniform
    /// Items of one MCOUNT or MLIKED.
    var batch = 50
    var seed: Int64 = 1
    var mayWrite = false

    static let durationDefault = 10.0
    static let zipfExponentDefault = 0.99

    /// Seconds measured; nil: until the requests are sent.
    var durationEffective: Double? { duration ?? (requests == nil ? Self.durationDefault : nil) }

    static let flags: Set<String> = ["--write"]
    static let names: Set<String> = [
        "--rate", "--connections", "--pipeline", "--duration", "--requests", "--warmup", "--mix", "--users", "--items",
        "--type", "--keys", "--batch", "--seed",
    ]

    /// One of `flags`.
    mutating func set(flag name: String) {
        precondition(name == "--write", "no flag of bench: \(name)")
        mayWrite = true
    }

    /// One of `names`.
    mutating func set(_ name: String, to value: String) throws(Failure) {
        switch name {
        case "--rate": rate = try OptionValue.whole(name, value, 1...10_000_000)
        case "--connections": connections = Int(try OptionValue.whole(name, value, 1...BenchLimits.connectionsMax))
        case "--pipeline": pipeline = Int(try OptionValue.whole(name, value, 1...BenchLimits.pipelineMax))
        case "--duration": duration = try Self.seconds(name, value, atLeast: BenchLimits.durationMin)
        case "--requests": requests = try OptionValue.whole(name, value, 1...1_000_000_000_000)
        case "--warmup": warmup = try Self.seconds(name, value, atLeast: 0)
        case "--mix": mix = try Self.mix(value)
        case "--users": users = try OptionValue.whole(name, value, 1...BenchLimits.populationMax)
        case "--items": items = try OptionValue.whole(name, value, 1...BenchLimits.populationMax)
        case "--type": type = try Self.type(value)
        case "--keys": keys = try Self.keys(value)
        case "--batch": batch = Int(try OptionValue.whole(name, value, 1...BenchLimits.batchMax))
        case "--seed": seed = try OptionValue.whole(name, value, 0...Int64.max)
        default: preconditionFailure("no option of bench: \(name)")
        }
    }

    /// What can't be seen option by option.
    func check() throws(Failure) {
        if rate != nil, pipeline != 1 {
            throw Failure(
                .usage, "with --rate requests leave when it is time, however many are under way: leave out --pipeline")
        }
        if !mayWrite, let change = mix.first(where: { $0.verb.isChange && $0.weight > 0 }) {
            throw Failure(
                .usage, "\(change.verb.name) changes what is stored: add --write if this daemon's data may change")
        }
    }

    private static func mix(_ value: String) throws(Failure) -> [Share] {
        var mix: [Share] = []
        for part in value.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = part.split(separator: "=", omittingEmptySubsequences: false)
            guard let verb = BenchVerb.allCases.first(where: { $0.name.lowercased() == sides[0].lowercased() }) else {
                let names = BenchVerb.allCases.map { $0.name.lowercased() }.joined(separator: ", ")
                throw Failure(.usage, "--mix: there is no '\(sides[0])': there are \(names), as in count=80,like=20")
            }
            guard sides.count <= 2, !mix.contains(where: { $0.verb == verb }) else {
                throw Failure(.usage, "--mix: '\(value)' is no mix: name each verb once, as in count=80,like=20")
            }
            let weight = sides.count == 2 ? try OptionValue.whole("--mix", String(sides[1]), 0...1_000_000) : 1
            mix.append(Share(verb: verb, weight: weight))
        }
        guard mix.contains(where: { $0.weight > 0 }) else { throw Failure(.usage, "--mix: all weights are 0") }
        return mix
    }

    private static func keys(_ value: String) throws(Failure) -> Keys {
        switch value {
        case "uniform": return .uniform
        case "hot": return .hot
        case "zipf": return .zipf(exponent: zipfExponentDefault)
        case _ where value.hasPrefix("zipf:"):
            if let exponent = OptionValue.decimal(value.dropFirst("zipf:".count)), exponent > 0, exponent <= 10 {
                return .zipf(exponent: exponent)
            }
            throw Failure(.usage, "--keys: the exponent of zipf:S is more than 0 and at most 10, as in zipf:0.99")
        default: throw Failure(.usage, "--keys takes uniform, zipf, zipf:S or hot, not '\(value)'")
        }
    }

    private static func type(_ value: String) throws(Failure) -> String {
        let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
        let isName = value.utf8.allSatisfy {
            letters.contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "_")
                || $0 == UInt8(ascii: "-")
        }
        guard isName, let first = value.utf8.first, letters.contains(first), value.utf8.count <= 32 else {
            throw Failure(.usage, "--type: '\(value)' is no item type: 1 to 32 of a-z 0-9 _ -, a letter first")
        }
        return value
    }

    private static func seconds(_ name: String, _ value: String, atLeast least: Double) throws(Failure) -> Double {
        guard let seconds = OptionValue.decimal(value[...]), seconds >= least, seconds <= BenchLimits.secondsMax else {
            let bounds = (least > 0 ? "at least \(least) and " : "") + "at most \(Int(BenchLimits.secondsMax))"
            throw Failure(.usage, "\(name) takes seconds, \(bounds), not '\(value)'")
        }
        return seconds
    }
}
