/// Cuts a connection's bytes into requests. It owns no socket and no buffer.
///
/// Invariant between calls: after `.incomplete`, the next call's bytes start with the same bytes (at any address) and
/// have more behind them; after `.request` and `.nothing`, they start behind the bytes taken; after `.broken` there is
/// no next call. Bytes are not looked at twice, so a request that arrives byte by byte costs no more than one that
/// arrives whole. The result depends only on the connection's bytes, not on how they were split.
///
/// `.incomplete` is never returned for more than `WireLimits.requestBytesMax` bytes: a buffer of that size is enough.
public struct RequestParser: Sendable {
    /// What the bytes held.
    public enum Step: Equatable, Sendable {
        /// No whole request yet; call again with the same bytes and more behind them.
        case incomplete
        /// A request, and how many bytes it took: drop them before the next call.
        case request(Request, bytes: Int)
        /// Blank lines and empty arrays, which Redis ignores too: drop the bytes.
        case nothing(bytes: Int)
        /// The framing is broken: answer with the error, then close.
        case broken(ErrorReply)
    }

    /// How far the request at the start of the bytes has been read.
    private enum Progress {
        /// These first bytes contain no LF, and do not begin a RESP array unless there are none.
        case line(scanned: Int)
        /// `left` of `count` bulk strings are still to come, the next one's `$` at `position`.
        case array(count: Int, left: Int, first: Int, position: Int)
    }

    private let decoder: RequestDecoder
    private var progress = Progress.line(scanned: 0)

    /// A parser for one connection, for items of these types.
    public init(types: ItemTypes) { decoder = RequestDecoder(types: types) }

    /// Whether the parser is between two requests, so that `CountScanner` may read the next one.
    public var isAtStart: Bool {
        if case .line(scanned: 0) = progress { true } else { false }
    }

    /// Parses the request at the start of `bytes`, which is only read during the call.
    public mutating func next(in bytes: UnsafeRawBufferPointer) -> Step {
        let step =
            switch progress {
            case .line(let scanned):
                if scanned == 0, bytes.first == LengthLine.Kind.array.rawValue {
                    startArray(in: bytes)
                } else {
                    line(in: bytes, scanned: scanned)
                }
            case .array(let count, let left, let first, let position):
                array(in: bytes, count: count, left: left, first: first, position: position)
            }
        switch step {
        case .incomplete: break
        case .request, .nothing, .broken: progress = .line(scanned: 0)
        }
        return step
    }

    // MARK: One line

    private mutating func line(in bytes: UnsafeRawBufferPointer, scanned: Int) -> Step {
        // The LF itself may stand one byte beyond the limit.
        let end = min(bytes.count, WireLimits.lineBytesMax + 1)
        var position = scanned
        while position < end, bytes[position] != UInt8(ascii: "\n") { position += 1 }
        guard position < end else {
            guard end <= WireLimits.lineBytesMax else {
                return RequestParser.broken("too big inline request: \(WireLimits.lineBytesMax) bytes allowed")
            }
            progress = .line(scanned: end)
            return .incomplete
        }
        let hasCR = position > 0 && bytes[position - 1] == UInt8(ascii: "\r")
        let words = UnsafeRawBufferPointer(rebasing: bytes[..<(hasCR ? position - 1 : position)])
        var arguments = Arguments(line: words)
        guard let verb = arguments.next() else { return .nothing(bytes: position + 1) }
        return .request(decoder.decode(verb: verb, &arguments), bytes: position + 1)
    }

    // MARK: RESP array

    private mutating func startArray(in bytes: UnsafeRawBufferPointer) -> Step {
        switch LengthLine.read(.array, in: bytes, at: 0) {
        case .incomplete:
            return .incomplete
        case .malformed, .otherMarker:
            return RequestParser.brokenArrayLength
        case .value(let count, let end):
            guard count > 0 else { return .nothing(bytes: end) }
            guard count <= WireLimits.argumentsMax else { return RequestParser.brokenArrayLength }
            return array(in: bytes, count: count, left: count, first: end, position: end)
        }
    }

    private mutating func array(
        in bytes: UnsafeRawBufferPointer, count: Int, left: Int, first: Int, position: Int
    ) -> Step {
        var left = left
        var position = position
        while left > 0 {
            let next: Int
            switch bulkEnd(in: bytes, at: position) {
            case .incomplete:
                progress = .array(count: count, left: left, first: first, position: position)
                return .incomplete
            case .broken(let step):
                return step
            case .whole(let end):
                next = end
            }
            position = next
            left -= 1
        }
        let request = UnsafeRawBufferPointer(rebasing: bytes[..<position])
        var arguments = Arguments(array: request, position: first, count: count)
        guard let verb = arguments.next() else { preconditionFailure("an array of no bulk strings is ignored above") }
        return .request(decoder.decode(verb: verb, &arguments), bytes: position)
    }

    private enum Bulk {
        case incomplete
        case whole(end: Int)
        case broken(Step)
    }

    /// Where the bulk string at `position` ends, its CRLF included.
    private func bulkEnd(in bytes: UnsafeRawBufferPointer, at position: Int) -> Bulk {
        // Bytes beyond the limit are not looked at, so it makes no difference whether they have arrived.
        let allowed = UnsafeRawBufferPointer(rebasing: bytes.prefix(WireLimits.requestBytesMax))
        switch LengthLine.read(.bulk, in: allowed, at: position) {
        case .incomplete:
            return bytes.count < WireLimits.requestBytesMax ? .incomplete : .broken(RequestParser.brokenRequestSize)
        case .otherMarker(let byte):
            let found = withUnsafeBytes(of: byte) { Quoting.quoted($0) }
            return .broken(RequestParser.broken("expected '$', got \(found)"))
        case .malformed:
            return .broken(RequestParser.brokenBulkLength)
        case .value(let length, let start):
            guard length >= 0, length <= WireLimits.lineBytesMax else { return .broken(RequestParser.brokenBulkLength) }
            let end = start + length + LengthLine.endBytes
            guard end <= WireLimits.requestBytesMax else { return .broken(RequestParser.brokenRequestSize) }
            guard bytes.count >= end else { return .incomplete }
            guard bytes[end - 2] == UInt8(ascii: "\r"), bytes[end - 1] == UInt8(ascii: "\n") else {
                return .broken(RequestParser.brokenBulkEnd)
            }
            return .whole(end: end)
        }
    }

    // MARK: Errors

    private static func broken(_ what: String) -> Step { .broken(ErrorReply(.err, "Protocol error: \(what)")) }

    private static var brokenArrayLength: Step {
        broken("invalid multibulk length: a number up to \(WireLimits.argumentsMax) and CRLF allowed")
    }
    private static var brokenBulkLength: Step {
        broken("invalid bulk length: a number from 0 to \(WireLimits.lineBytesMax) and CRLF allowed")
    }
    private static var brokenBulkEnd: Step { broken("missing CRLF after a bulk string of the announced length") }
    private static var brokenRequestSize: Step {
        broken("too big request: \(WireLimits.requestBytesMax) bytes allowed")
    }
}
