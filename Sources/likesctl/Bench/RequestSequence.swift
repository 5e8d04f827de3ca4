import LikesctlCommands

/// The requests of a run. The k-th follows only from the seed, the options and k, whichever connection sends it.
struct RequestSequence {
    private let seed: UInt64
    private let choices: [(verb: BenchVerb, below: Int64)]
    private let weights: Int64
    private let users: Int64
    private let items: Int64
    private let keys: BenchOptions.Keys
    private let zipf: Zipf
    private let batch: Int
    private let itemPrefix: [UInt8]
    /// By the verb's number: the request up to its first argument.
    private let heads: [[UInt8]]
    /// No request takes more.
    let requestBytesMax: Int

    /// `$2\r\n`, a name of 32 bytes, a colon, 19 digits and an end.
    private static let argumentBytesMax = 64

    init(_ options: BenchOptions) {
        seed = UInt64(options.seed)
        var sum: Int64 = 0
        choices = options.mix.map { part in
            sum += part.weight
            return (part.verb, sum)
        }
        weights = sum
        users = options.users
        items = options.items
        keys = options.keys
        var exponent = BenchOptions.zipfExponentDefault
        if case .zipf(let wanted) = options.keys { exponent = wanted }
        zipf = Zipf(count: options.items, exponent: exponent)
        batch = options.batch
        itemPrefix = Array("\(options.type):".utf8)
        heads = BenchVerb.allCases.map { verb in
            let arguments = (verb.hasUser ? 1 : 0) + (verb.hasBatch ? options.batch : 1)
            return Array("*\(1 + arguments)\r\n$\(verb.name.utf8.count)\r\n\(verb.name)\r\n".utf8)
        }
        let argumentsMax = options.mix.contains { $0.verb.hasBatch } ? 1 + options.batch : 2
        requestBytesMax = Self.argumentBytesMax * (1 + argumentsMax)
    }

    /// What the verb's replies consist of.
    func shape(ofRepliesTo verb: BenchVerb) -> ReplyShape {
        if verb.isChange { return .integers(2) }
        return verb.hasBatch ? .integers(Int64(batch)) : .integer
    }

    /// Writes the request at `place` (0, 1, …) to `start`, where `requestBytesMax` are free.
    func write(_ place: UInt64, to start: UnsafeMutableRawPointer) -> (verb: BenchVerb, bytes: Int) {
        var draws = SeededDraws(seed: seed, place: place)
        // Always drawn in this order, so that the pair does not depend on the verb: the same run with UNLIKE takes the
        // likes back.
        let verb = verb(draws.below(weights))
        let user = 1 + draws.below(users)
        var writer = ByteWriter(start)
        writer.append(heads[verb.rawValue])
        if verb.hasUser { writer.appendArgument(prefix: [], user) }
        for _ in 0..<(verb.hasBatch ? batch : 1) {
            writer.appendArgument(prefix: itemPrefix, item(&draws))
        }
        return (verb, writer.count)
    }

    private func verb(_ drawn: Int64) -> BenchVerb {
        for choice in choices where drawn < choice.below { return choice.verb }
        preconditionFailure("\(drawn) is beyond the weights of the mix")
    }

    private func item(_ draws: inout SeededDraws) -> Int64 {
        switch keys {
        case .uniform: 1 + draws.below(items)
        case .zipf: zipf.draw(&draws)
        case .hot: 1
        }
    }
}

/// Appends to memory that is known to be large enough.
private struct ByteWriter {
    private let start: UnsafeMutableRawPointer
    private(set) var count = 0

    init(_ start: UnsafeMutableRawPointer) { self.start = start }

    mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { source in
            guard let from = source.baseAddress else { return }
            (start + count).copyMemory(from: from, byteCount: source.count)
        }
        count += bytes.count
    }

    /// A bulk string of `prefix` and the number, which is not negative.
    mutating func appendArgument(prefix: [UInt8], _ number: Int64) {
        var digits = 1
        var rest = number
        while rest >= 10 {
            rest /= 10
            digits += 1
        }
        append(UInt8(ascii: "$"))
        append(Int64(prefix.count + digits), digits: prefix.count + digits < 10 ? 1 : 2)
        appendLineEnd()
        append(prefix)
        append(number, digits: digits)
        appendLineEnd()
    }

    private mutating func append(_ number: Int64, digits: Int) {
        var rest = number
        for place in stride(from: count + digits - 1, through: count, by: -1) {
            (start + place).storeBytes(of: UInt8(ascii: "0") + UInt8(rest % 10), as: UInt8.self)
            rest /= 10
        }
        count += digits
    }

    private mutating func append(_ byte: UInt8) {
        (start + count).storeBytes(of: byte, as: UInt8.self)
        count += 1
    }

    private mutating func appendLineEnd() {
        append(UInt8(ascii: "\r"))
        append(UInt8(ascii: "\n"))
    }
}
