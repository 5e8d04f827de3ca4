/// Cuts the bytes from a server into RESP2 replies. It owns its buffer, but no socket.
///
/// It reserves nothing for an announced length. It holds at most one reply within the limits and what came behind it in
/// the same read. When more bytes arrive, it continues where it stopped; only an element that is incomplete is started
/// again, and its content is not looked at.
public struct ReplyReader: Sendable {
    private let limits: ReplyLimits
    private var bytes: [UInt8] = []
    /// Where the present reply begins, and how far it has been read.
    private var start = 0
    private var place = 0
    private var nodes: [ReplyView.Node] = []
    /// Incomplete arrays, outermost first: their nodes, and the elements still to come.
    private var open: [(node: Int, left: Int)] = []
    private var fault: ReplyFault?
    /// Bytes still to come of a string that is discarded, its end included.
    private var passingOver = 0

    /// A reader that holds nothing yet.
    public init(limits: ReplyLimits) { self.limits = limits }

    /// Whether bytes are held that were not returned as part of a reply.
    public var hasMore: Bool { start < bytes.count }

    /// How many bytes are held that were not returned as part of a reply.
    public var heldCount: Int { bytes.count - start }

    /// Adds bytes behind the present ones.
    public mutating func append(_ more: some Collection<UInt8>) {
        guard fault == nil else { return }
        if start == bytes.count {
            if bytes.capacity > limits.lineBytesMax { bytes = [] } else { bytes.removeAll(keepingCapacity: true) }
        } else {
            bytes.removeFirst(start)
        }
        place -= start
        for index in nodes.indices { nodes[index].move(by: -start) }
        start = 0
        bytes.append(contentsOf: more)
    }

    /// The next reply; nil if it is incomplete.
    /// - Throws: why the bytes are not a reply, or exceed a limit. Every later call throws the same.
    public mutating func next() throws(ReplyFault) -> ReplyView? {
        if let fault { throw fault }
        do {
            return try read()
        } catch {
            fault = error
            (bytes, start, place, nodes, open) = ([], 0, 0, [], [])
            throw error
        }
    }

    private mutating func read() throws(ReplyFault) -> ReplyView? {
        while let node = try element() {
            guard place - start <= limits.replyBytesMax else { throw .tooLong("a reply", limits.replyBytesMax) }
            guard nodes.count <= limits.elementsMax else { throw .tooMany(limits.elementsMax) }
            nodes.append(node)
            if node.kind == .array, node.value > 0 {
                guard open.count < limits.depthMax else { throw .tooDeep(limits.depthMax) }
                open.append((nodes.count - 1, Int(node.value)))
                continue
            }
            guard endElement() else { continue }
            let view = ReplyView(bytes: bytes, nodes: nodes, index: 0)
            nodes = []
            start = place
            return view
        }
        guard bytes.count - start <= limits.replyBytesMax else { throw .tooLong("a reply", limits.replyBytesMax) }
        return nil
    }

    /// An element is complete, and so are the arrays that it ends. Returns true if that completed the reply.
    private mutating func endElement() -> Bool {
        while let last = open.indices.last {
            open[last].left -= 1
            guard open[last].left == 0 else { return false }
            nodes[open[last].node].next = nodes.count
            open.removeLast()
        }
        return true
    }

    /// The element at `place`; of an array only its line. nil if it is incomplete.
    private mutating func element() throws(ReplyFault) -> ReplyView.Node? {
        passOver()
        guard passingOver == 0, place < bytes.count else { return nil }
        guard let kind = ReplyView.Kind(rawValue: bytes[place]) else { throw .foreignByte(bytes[place]) }
        guard let line = try line() else { return nil }
        var node = ReplyView.Node(kind: kind, start: line.lowerBound, end: line.upperBound, next: nodes.count + 1)
        let behind = line.upperBound + LengthLine.endBytes
        switch kind {
        case .status, .error: place = behind
        case .integer:
            node.value = try number(line)
            place = behind
        case .array:
            let count = try number(line)
            guard (-1...Int64(limits.elementsMax)).contains(count) else { throw .tooMany(limits.elementsMax) }
            if count < 0 { node.kind = .null }
            node.value = count
            place = behind
        case .bulk:
            let length = try number(line)
            let lengthMax = max(limits.bulkBytesMax, limits.passedOverBytesMax)
            guard (-1...Int64(lengthMax)).contains(length) else { throw .tooLong("a bulk string", lengthMax) }
            guard length >= 0 else {
                node.kind = .null
                place = behind
                return node
            }
            if isTooMuch(Int(length)) {
                node.kind = .passedOver
                node.end = node.start
                place = behind
                passingOver = Int(length) + LengthLine.endBytes
                return node
            }
            node.start = behind
            node.end = behind + Int(length)
            for (offset, byte) in [UInt8(ascii: "\r"), UInt8(ascii: "\n")].enumerated() {
                guard node.end + offset < bytes.count else { return nil }
                guard bytes[node.end + offset] == byte else { throw .noEnd }
            }
            place = node.end + LengthLine.endBytes
        case .null, .passedOver: throw .foreignByte(bytes[place])
        }
        return node
    }

    /// Whether to discard a string: it is too long, alone or together with the rest of the reply.
    private func isTooMuch(_ length: Int) -> Bool {
        guard limits.passedOverBytesMax > 0 else { return false }
        return length > limits.bulkBytesMax || place - start + length > limits.replyBytesMax / 2
    }

    /// Drops what has arrived of a discarded string.
    private mutating func passOver() {
        guard passingOver > 0 else { return }
        let count = min(passingOver, bytes.count - place)
        bytes.removeSubrange(place..<place + count)
        passingOver -= count
    }

    /// The bytes between the first byte of an element and CR LF.
    private func line() throws(ReplyFault) -> Range<Int>? {
        let first = place + 1
        let limit = min(bytes.count, first + limits.lineBytesMax + 1)
        guard let end = bytes[first..<limit].firstIndex(of: UInt8(ascii: "\r")) else {
            if limit < bytes.count { throw .tooLong("a line", limits.lineBytesMax) }
            return nil
        }
        guard end + 1 < bytes.count else { return nil }
        guard bytes[end + 1] == UInt8(ascii: "\n") else { throw .noEnd }
        return first..<end
    }

    private func number(_ line: Range<Int>) throws(ReplyFault) -> Int64 {
        let number = bytes.withUnsafeBytes { Decimal.parseSigned(UnsafeRawBufferPointer(rebasing: $0[line])) }
        guard let number else { throw .noNumber }
        return number
    }
}

/// Why bytes from a server are not a RESP2 reply, or not an acceptable one. The connection cannot be used any more.
public enum ReplyFault: Error, Equatable, Sendable {
    /// No reply starts with this byte.
    case foreignByte(UInt8)
    /// A line or a string does not end with CR LF.
    case noEnd
    /// A line that must be a number is not one of 64 bits.
    case noNumber
    /// What is too long, and its limit in bytes.
    case tooLong(String, Int)
    /// More elements than this limit.
    case tooMany(Int)
    /// Arrays nested deeper than this limit.
    case tooDeep(Int)

    /// The fault in words, for a log.
    public var text: String {
        switch self {
        case .foreignByte(let byte): "a reply cannot start with byte \(byte)"
        case .noEnd: "a line or string without CR LF behind it"
        case .noNumber: "a line that must be a number is not one"
        case .tooLong(let what, let limit): "\(what) of more than \(limit) bytes"
        case .tooMany(let limit): "a reply of more than \(limit) elements"
        case .tooDeep(let limit): "arrays nested more than \(limit) deep"
        }
    }
}
