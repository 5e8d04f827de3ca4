/// A reply from a server, or an element of one, as it stands in the bytes that were read.
public struct ReplyView: Sendable {
    enum Kind: UInt8 {
        case status = 0x2B
        case error = 0x2D
        case integer = 0x3A
        case bulk = 0x24
        case array = 0x2A
        /// `$-1` and `*-1`; no first byte stands for it.
        case null = 0
        /// A string that was too long to keep; no first byte stands for it either.
        case passedOver = 1
    }

    /// One element. The elements of an array follow it in order, each followed by its own.
    struct Node: Sendable {
        var kind: Kind
        /// The integer, or the number of the array's elements.
        var value: Int64 = 0
        /// Where its text begins in the bytes.
        var start: Int
        var end: Int
        /// The node that follows it and everything in it.
        var next: Int

        init(kind: Kind, start: Int, end: Int, next: Int) {
            self.kind = kind
            self.start = start
            self.end = end
            self.next = next
        }

        mutating func move(by distance: Int) {
            start += distance
            end += distance
        }
    }

    let bytes: [UInt8]
    let nodes: [Node]
    let index: Int

    private var node: Node { nodes[index] }
    private var slice: ArraySlice<UInt8> { bytes[node.start..<node.end] }

    /// The text of `+text`; nil for any other reply.
    public var status: ArraySlice<UInt8>? { node.kind == .status ? slice : nil }
    /// The text of `-CODE message`, without the dash; nil for any other reply.
    public var error: ArraySlice<UInt8>? { node.kind == .error ? slice : nil }
    /// The number of `:number`; nil for any other reply.
    public var integer: Int64? { node.kind == .integer ? node.value : nil }
    /// A bulk string's bytes; nil for any other reply, and for a discarded string.
    public var string: ArraySlice<UInt8>? { node.kind == .bulk ? slice : nil }
    /// The text of a status or a string, with bytes that are not UTF-8 replaced; nil for any other reply.
    public var text: String? { (status ?? string).map { String(decoding: $0, as: UTF8.self) } }
    /// Whether it is a string that was too long to keep.
    public var isPassedOver: Bool { node.kind == .passedOver }
    /// How many elements the array has; nil for any other reply.
    public var elementCount: Int? { node.kind == .array ? Int(node.value) : nil }

    /// The array's element at a place, counted from 0; nil if there is none. It walks over the elements before it.
    public func element(_ place: Int) -> ReplyView? {
        guard let count = elementCount, (0..<count).contains(place) else { return nil }
        var index = index + 1
        if node.next == index + count {
            // Each element is a single node.
            index += place
        } else {
            for _ in 0..<place { index = nodes[index].next }
        }
        return ReplyView(bytes: bytes, nodes: nodes, index: index)
    }

    /// All elements of an array, in order; empty for any other reply. Faster than `element` if the elements are arrays
    /// themselves.
    public var elements: [ReplyView] {
        var next = index + 1
        return (0..<(elementCount ?? 0)).map { _ in
            defer { next = nodes[next].next }
            return ReplyView(bytes: bytes, nodes: nodes, index: next)
        }
    }

    /// The reply as an independent value. A discarded string becomes `null`.
    public var value: ReceivedReply {
        switch node.kind {
        case .status: .simple(Array(slice))
        case .error: .error(Array(slice))
        case .integer: .integer(node.value)
        case .bulk: .bulk(Array(slice))
        case .null, .passedOver: .null
        case .array: .array(elements.map(\.value))
        }
    }
}
