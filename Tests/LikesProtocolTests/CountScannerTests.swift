import Testing

@testable import LikesProtocol

private let types: ItemTypes = {
    guard let types = try? ItemTypes(["post", "pos", "comment", "a", "comment_", "comment_of_a_comment", "comments"])
    else { fatalError("these are types") }
    return types
}()

private func resp(_ words: [String]) -> String {
    "*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
}

/// What the scanner answers from the start of the bytes on, and the bytes it took; each request as the parser says it.
private func scan(_ bytes: UnsafeRawBufferPointer) -> (requests: [Request], taken: Int) {
    var scanner = CountScanner(bytes, types: types)
    var requests: [Request] = []
    while let kind = scanner.next() {
        var items: [Item] = []
        let wanted = if case .mcount(let number) = kind { number } else { 1 }
        while items.count < wanted, let item = scanner.nextItem() { items.append(item) }
        guard items.count == wanted else { break }
        scanner.take()
        requests.append(kind == .count ? .count(items[0]) : .mcount(items))
    }
    return (requests, scanner.taken)
}

/// The same by the parser; nil when it finds anything else before `taken`.
private func parse(_ bytes: UnsafeRawBufferPointer, taken: Int) -> [Request]? {
    var parser = RequestParser(types: types)
    var requests: [Request] = []
    var position = 0
    while position < taken {
        guard
            case .request(let request, let count) = parser.next(
                in: UnsafeRawBufferPointer(rebasing: bytes[position...]))
        else { return nil }
        requests.append(request)
        position += count
    }
    return position == taken ? requests : nil
}

/// A copy that ends where the text does, so that a sanitizer sees a read behind it.
private func scan(_ text: String) -> (requests: [Request], taken: Int) { Array(text.utf8).withUnsafeBytes { scan($0) } }

@Test(
    "COUNT and MCOUNT as clients send them are recognised",
    arguments: [
        "COUNT post:1", "count post:12345678", "Count pos:123456789", "COUNT a:1234567", "COUNT comment:000000000042",
        "COUNT comment_:9223372036854775807", "COUNT comment_of_a_comment:0000000000000000042", "COUNT comments:7",
        "MCOUNT post:1", "mCount post:1 pos:1 a:1 comment_of_a_comment:12 comments:9007199254740993",
        "MCOUNT" + String(repeating: " post:77", count: 1_000),
    ])
func countAndMcountAsClientsSendThemAreRecognised(line: String) throws {
    let words = line.split(separator: " ").map(String.init)
    // Something follows: the last eight bytes are read as eight.
    let text = resp(words) + resp(["PING"])
    let (requests, taken) = scan(text)
    #expect(taken == resp(words).utf8.count)
    #expect(Array(text.utf8).withUnsafeBytes { parse($0, taken: taken) } == requests)
}

@Test("A request that is not there to its end is left alone, wherever it is cut")
func aRequestThatIsNotThereToItsEndIsLeftAlone() {
    let first = resp(["COUNT", "comment_of_a_comment:7"])
    for second in [resp(["COUNT", "post:123456789"]), resp(["MCOUNT", "post:1", "a:2", "comment:3"])] {
        let bytes = Array((first + second).utf8)
        for end in first.utf8.count..<bytes.count {
            let (requests, taken) = Array(bytes[..<end]).withUnsafeBytes { scan($0) }
            #expect(requests.count == 1 && taken == first.utf8.count, "cut at \(end)")
        }
        #expect(bytes.withUnsafeBytes { scan($0) }.taken == bytes.count)
    }
}

@Test(
    "What is wrong or unusual is left to the parser",
    arguments: [
        "LIKED 1 post:1", "COUNT post:1 post:2", "MCOUNT", "COUNTS post:1", "C\u{0f}UNT post:1", "COUNT story:1",
        "COUNT post:", "COUNT post", "COUNT post:9223372036854775808", "COUNT post:-1", "COUNT post:1x",
        "COUNT post:12345/78", "COUNT post:1234:678", "COUNT POST:1", "COUNT comment_of_a_commenT:1",
        "COUNT post:00000000000000000001", "MCOUNT" + String(repeating: " post:7", count: 1_001),
    ])
func whatIsWrongOrUnusualIsLeftToTheParser(line: String) {
    let (requests, taken) = scan(resp(line.split(separator: " ").map(String.init)) + resp(["COUNT", "post:1"]))
    #expect(requests.isEmpty && taken == 0)
}

@Test("What the scanner recognises, the parser reads in the same way, however it is damaged")
func whatTheScannerRecognisesTheParserReadsInTheSameWay() {
    let seed = SeededRandom.runSeed()
    var random = SeededRandom(seed: seed)
    let names = types.names + ["story", "", "POST"]
    var recognised = 0
    for _ in 0..<20_000 {
        var text = ""
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let digits = Int.random(in: 0...21, using: &random)
            let items = (0..<Int.random(in: 1...4, using: &random)).map { _ in
                let id = (0..<digits).map { _ in String(Int.random(in: 0...9, using: &random)) }.joined()
                return (names.randomElement(using: &random) ?? "") + ":" + id
            }
            text += Bool.random(using: &random) ? resp(["COUNT", items[0]]) : resp(["MCOUNT"] + items)
        }
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 0...2, using: &random) {
            let place = Int.random(in: bytes.indices, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: bytes.remove(at: place)
            default: bytes.insert(bytes[Int.random(in: bytes.indices, using: &random)], at: place)
            }
        }
        let agree = bytes.withUnsafeBytes { bytes in
            let (requests, taken) = scan(bytes)
            recognised += requests.count
            return parse(bytes, taken: taken) == requests
        }
        guard agree else {
            Issue.record("LIKESD_SEED=\(seed): \(String(decoding: bytes, as: UTF8.self).debugDescription)")
            return
        }
    }
    #expect(recognised > 5_000)
}

@Test("Eight digits at a time are the number that one digit at a time is")
func eightDigitsAtATimeAreTheNumberThatOneDigitAtATimeIs() {
    let seed = SeededRandom.runSeed()
    var random = SeededRandom(seed: seed)
    for _ in 0..<50_000 {
        let count = Int.random(in: 1...Digits.countMax, using: &random)
        var bytes = (0..<count).map { _ in UInt8.random(in: 0x30...0x39, using: &random) }
        if Bool.random(using: &random) {
            bytes[Int.random(in: 0..<count, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
        }
        let before = (0..<Digits.bytesBefore).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        let fast = (before + bytes).withUnsafeBytes { Digits.parse($0, from: before.count, count: count) }
        #expect(fast == bytes.withUnsafeBytes { Decimal.parse($0) }, "LIKESD_SEED=\(seed): \(bytes)")
    }
}

@Test("Replies written straight into memory are those that the encoder makes")
func repliesWrittenIntoMemoryAreThoseThatTheEncoderMakes() {
    let numbers: [Int64] = [0, 9, 10, 99, 100, 12_345_678_901, .max, -1, .min]
    var encoder = ReplyEncoder()
    var wanted: [UInt8] = []
    for number in numbers { encoder.append(.integer(number), to: &wanted) }
    encoder.append(.integers(numbers), to: &wanted)
    withUnsafeTemporaryAllocation(byteCount: 1_000, alignment: 1) { memory in
        var replies = CountReplies(memory)
        for number in numbers { replies.append(number) }
        let end = replies.count
        replies.append(arrayOf: 3)
        replies.append(7)
        replies.cut(to: end)
        replies.append(arrayOf: numbers.count)
        for number in numbers { replies.append(number) }
        #expect(Array(replies.written) == wanted)
    }
}

@Test("There is room for as many numbers as fit when all are the longest")
func thereIsRoomForAsManyNumbersAsFitWhenAllAreTheLongest() {
    withUnsafeTemporaryAllocation(byteCount: 3 * CountReplies.numberBytesMax, alignment: 1) { memory in
        var replies = CountReplies(memory)
        #expect(replies.hasRoom(for: 2) && !replies.hasRoom(for: 3))
        replies.append(arrayOf: 2)
        replies.append(.min)
        replies.append(.min)
        #expect(replies.count <= memory.count && !replies.hasRoom(for: 1))
    }
}
