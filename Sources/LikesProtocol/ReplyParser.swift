/// Cuts the bytes a client received into RESP2 replies. Owns no socket and no buffer.
///
/// It keeps nothing between calls: a reply that is not whole yet is read from its start again. Bulk strings, where
/// large replies have their bytes, are stepped over, so that this stays cheap.
public enum ReplyParser {
    /// Bytes of a line: an integer, a length, or an error's message.
    public static let lineBytesMax = 64 * 1024
    /// Bytes of one bulk string; METRICS and INFO take some KiB.
    public static let bulkBytesMax = 16 * 1024 * 1024
    /// Elements of one array; MCOUNT answers at most 1,000.
    public static let elementsMax = 64 * 1024
    /// Arrays within arrays; no reply of likesd has more than two.
    public static let depthMax = 8

    /// What the bytes held.
    public enum Step: Equatable, Sendable {
        /// No whole reply yet; call again with the same bytes and more behind them.
        case incomplete
        /// A reply, and how many bytes it took.
        case reply(ReceivedReply, bytes: Int)
        /// Not RESP2, or over a limit: what was wrong. The connection can't be used any more.
        case broken(String)
    }

    /// Parses the reply at the start of `bytes`.
    public static func next(in bytes: [UInt8]) -> Step {
        var scan = Scan(bytes: bytes)
        do {
            let reply = try scan.reply(depth: 0)
            return .reply(reply, bytes: scan.place)
        } catch {
            switch error {
            case .incomplete: return .incomplete
            case .broken(let why): return .broken(why)
            }
        }
    }

    private enum Stop: Error {
        case incomplete
        case broken(String)
    }

    /// One pass over the bytes; `place` never goes past their end.
    private struct Scan {
        let bytes: [UInt8]
        var place = 0

        mutating func reply(depth: Int) throws(Stop) -> ReceivedReply {
            guard depth <= ReplyParser.depthMax else { throw .broken("arrays nested too deep") }
            guard place < bytes.count else { throw .incomplete }
            let kind = bytes[place]
            place += 1
            switch kind {
            case UInt8(ascii: "+"): return .simple(Array(try line()))
            case UInt8(ascii: "-"): return .error(Array(try line()))
            case UInt8(ascii: ":"): return .integer(try number())
            case UInt8(ascii: "$"): return try bulk()
            case UInt8(ascii: "*"): return try array(depth: depth)
            default: throw .broken("a reply can't start with byte \(kind)")
            }
        }

        /// What stands before CR LF.
        private mutating func line() throws(Stop) -> ArraySlice<UInt8> {
            let limit = min(bytes.count, place + ReplyParser.lineBytesMax + 1)
            guard let end = bytes[place..<limit].firstIndex(of: UInt8(ascii: "\r")) else {
                if limit < bytes.count { throw .broken("a line over \(ReplyParser.lineBytesMax) bytes") }
                throw .incomplete
            }
            let text = bytes[place..<end]
            place = end + 1
            try lineFeed()
            return text
        }

        private mutating func lineFeed() throws(Stop) {
            guard place < bytes.count else { throw .incomplete }
            guard bytes[place] == UInt8(ascii: "\n") else { throw .broken("a CR without LF") }
            place += 1
        }

        private mutating func number() throws(Stop) -> Int64 {
            let digits = try line()
            guard let number = Int64(String(decoding: digits, as: UTF8.self)) else { throw .broken("a bad number") }
            return number
        }

        private mutating func bulk() throws(Stop) -> ReceivedReply {
            let length = try number()
            if length == -1 { return .null }
            guard (0...Int64(ReplyParser.bulkBytesMax)).contains(length) else { throw .broken("a bad bulk length") }
            let start = place
            guard bytes.count - start >= Int(length) else { throw .incomplete }
            place += Int(length)
            guard place < bytes.count else { throw .incomplete }
            guard bytes[place] == UInt8(ascii: "\r") else { throw .broken("a bulk string without CR LF behind it") }
            place += 1
            try lineFeed()
            return .bulk(Array(bytes[start..<start + Int(length)]))
        }

        private mutating func array(depth: Int) throws(Stop) -> ReceivedReply {
            let count = try number()
            if count == -1 { return .null }
            guard (0...Int64(ReplyParser.elementsMax)).contains(count) else { throw .broken("a bad array length") }
            var elements: [ReceivedReply] = []
            for _ in 0..<count { elements.append(try reply(depth: depth + 1)) }
            return .array(elements)
        }
    }
}
