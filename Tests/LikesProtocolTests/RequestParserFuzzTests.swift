import LikesProtocol
import Testing

/// Streams of valid requests, damaged ones and noise.
private struct StreamGenerator {
    var random: SeededRandom

    private static let verbs = Verb.allCases.map(\.name)
    private static let words = [
        "post:1", "reel:9223372036854775807", "comment:9223372036854775808", "story:1", "post:", ":",
        "0", "007", "9223372036854775807", "-1", "GET", "*", "$", "\r", "\0", "",
    ]
    /// Bytes the framing is made of come more often than others.
    private static let framing = Array("*$:-0123456789\r\n\r\n\r\n \t".utf8)

    private mutating func word() -> String {
        guard Bool.random(using: &random) else { return Self.words.randomElement(using: &random) ?? "" }
        let verb = Self.verbs.randomElement(using: &random) ?? ""
        return Bool.random(using: &random) ? verb : verb.lowercased()
    }

    private mutating func request() -> [UInt8] {
        let words = (0..<Int.random(in: 0...5, using: &random)).map { _ in word() }
        switch Int.random(in: 0..<8, using: &random) {
        case 0...3: return array(words)
        case 4...6: return Array((words.joined(separator: " ") + (Bool.random(using: &random) ? "\n" : "\r\n")).utf8)
        default: return (0..<Int.random(in: 0...20, using: &random)).map { _ in byte() }
        }
    }

    private mutating func byte() -> UInt8 {
        Bool.random(using: &random)
            ? UInt8.random(in: .min ... .max, using: &random) : Self.framing.randomElement(using: &random) ?? 0
    }

    private mutating func damage(_ stream: inout [UInt8]) {
        guard !stream.isEmpty else { return }
        let place = Int.random(in: stream.indices, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: stream[place] = byte()
        case 1: stream.insert(byte(), at: place)
        case 2: stream.remove(at: place)
        case 3: stream.removeSubrange(place..<min(stream.count, place + Int.random(in: 1...9, using: &random)))
        default:
            let end = min(stream.count, place + Int.random(in: 1...30, using: &random))
            stream.insert(contentsOf: Array(stream[place..<end]), at: Int.random(in: stream.indices, using: &random))
        }
    }

    /// Mostly short; now and then with a word or a run of bytes around the limits.
    mutating func stream() -> [UInt8] {
        var stream = (0..<Int.random(in: 1...6, using: &random)).flatMap { _ in request() }
        if Int.random(in: 0..<100, using: &random) == 0 {
            let length = WireLimits.lineBytesMax + Int.random(in: -8...8, using: &random)
            let filler = [UInt8](repeating: Bool.random(using: &random) ? 0x78 : byte(), count: length)
            stream +=
                Bool.random(using: &random)
                ? filler + [0x0A] : Array("*2\r\n$4\r\nECHO\r\n$\(length)\r\n".utf8) + filler
        }
        for _ in 0..<Int.random(in: 0...3, using: &random) { damage(&stream) }
        return stream
    }

    mutating func cuts(of stream: [UInt8]) -> [Int] {
        guard !stream.isEmpty else { return [] }
        return (0..<Int.random(in: 0...8, using: &random)).map { _ in Int.random(in: stream.indices, using: &random) }
            .sorted()
    }
}

@Test("Whatever the bytes are, the parser goes on within what it was given, and splitting changes nothing")
func whateverTheBytesAreTheParserGoesOnWithinWhatItWasGiven() throws {
    let seed = SeededRandom.runSeed()
    var generator = StreamGenerator(random: SeededRandom(seed: seed))
    for round in 0..<3_000 {
        let stream = generator.stream()
        let whole = try parse(stream, cuts: [])
        for cuts in [generator.cuts(of: stream), generator.cuts(of: stream), Array(stream.indices)] {
            let split = try parse(stream, cuts: cuts)
            guard split == whole else {
                Issue.record("LIKESD_SEED=\(seed), round \(round), cuts \(cuts.prefix(10)): \(split), not \(whole)")
                return
            }
        }
        guard messagesArePrintable(whole) else {
            Issue.record("LIKESD_SEED=\(seed), round \(round): a message holds control bytes: \(whole)")
            return
        }
    }
}

private func messagesArePrintable(_ parsed: Parsed) -> Bool {
    parsed.outcomes.allSatisfy { outcome in
        switch outcome {
        case .nothing: true
        case .broken(let message): isPrintable(message)
        case .request(.invalid(let error)): isPrintable(error.message)
        case .request: true
        }
    }
}

private func isPrintable(_ message: String) -> Bool {
    message.utf8.count < 1_024 && message.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
}
