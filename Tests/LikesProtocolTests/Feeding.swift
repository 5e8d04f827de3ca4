import LikesProtocol

/// What a parser made of a whole stream.
struct Parsed: Equatable, CustomStringConvertible {
    enum Outcome: Equatable {
        case request(Request)
        case nothing
        case broken(String)
    }
    var outcomes: [Outcome] = []
    /// Bytes after which each outcome stood; the last entry of a broken stream is missing.
    var ends: [Int] = []

    var requests: [Request] {
        outcomes.compactMap { if case .request(let request) = $0 { request } else { nil } }
    }
    var breakage: String? {
        outcomes.compactMap { if case .broken(let message) = $0 { message } else { nil } }.last
    }
    var description: String { "\(outcomes) ending at \(ends)" }
}

/// Breaches of what the parser promises whatever the bytes are.
enum ParserBreach: Error {
    case consumedMoreThanGiven(Int, given: Int)
    case consumedNothing
    case holdsTooMuch(Int)
}

/// Feeds the stream in pieces that end at `cuts` and at the stream's end, as a socket would: what was not consumed
/// stays in front.
func parse(_ stream: [UInt8], cuts: some Sequence<Int>, types: ItemTypes = .standard) throws -> Parsed {
    var parser = RequestParser(types: types)
    var parsed = Parsed()
    var start = 0
    try stream.withUnsafeBytes { bytes in
        for end in Array(cuts) + [stream.count] {
            piece: while start < end {
                // A copy ends exactly where the bytes do, so that a sanitizer sees a read behind them.
                let given = end - start
                switch parser.next(in: UnsafeRawBufferPointer(rebasing: bytes[start..<end])) {
                case .incomplete:
                    guard given <= WireLimits.requestBytesMax else { throw ParserBreach.holdsTooMuch(given) }
                    break piece
                case .request(let request, let taken):
                    try check(taken, given)
                    parsed.outcomes.append(.request(request))
                    start += taken
                    parsed.ends.append(start)
                case .nothing(let taken):
                    try check(taken, given)
                    parsed.outcomes.append(.nothing)
                    start += taken
                    parsed.ends.append(start)
                case .broken(let error):
                    parsed.outcomes.append(.broken(error.message))
                    return
                }
            }
        }
    }
    return parsed
}

private func check(_ taken: Int, _ given: Int) throws {
    guard taken > 0 else { throw ParserBreach.consumedNothing }
    guard taken <= given else { throw ParserBreach.consumedMoreThanGiven(taken, given: given) }
}

/// The stream whole; every split and the byte-by-byte feed have to agree with it.
func parseEveryWay(_ stream: [UInt8], types: ItemTypes = .standard) throws -> Parsed {
    let whole = try parse(stream, cuts: [], types: types)
    for cut in stream.indices {
        let split = try parse(stream, cuts: [cut], types: types)
        guard split == whole else { throw SplitMatters(cut: cut, whole: whole, split: split) }
    }
    let single = try parse(stream, cuts: stream.indices, types: types)
    guard single == whole else { throw SplitMatters(cut: -1, whole: whole, split: single) }
    return whole
}

struct SplitMatters: Error {
    var cut: Int
    var whole: Parsed
    var split: Parsed
}

/// The same words as a RESP array.
func array(_ words: [String]) -> [UInt8] {
    var bytes = Array("*\(words.count)\r\n".utf8)
    for word in words { bytes += Array("$\(word.utf8.count)\r\n\(word)\r\n".utf8) }
    return bytes
}
