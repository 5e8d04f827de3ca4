/// Redis' patterns: `*`, `?`, `[a-c]`, `[^x]`, and `\` before a byte that stands for itself. Letters match in either
/// case, as in CONFIG GET.
struct GlobPattern {
    private enum Element {
        case star
        case any
        case byte(UInt8)
        case set([ClosedRange<UInt8>], negated: Bool)

        func matches(_ byte: UInt8) -> Bool {
            switch self {
            case .star, .any: true
            case .byte(let wanted): wanted == byte
            case .set(let ranges, let negated): ranges.contains { $0.contains(byte) } != negated
            }
        }
    }

    private let elements: [Element]

    init(_ pattern: [UInt8]) {
        var elements: [Element] = []
        var rest = pattern.map(GlobPattern.lowercased)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "*"): elements.append(.star)
            case UInt8(ascii: "?"): elements.append(.any)
            case UInt8(ascii: "["): elements.append(GlobPattern.set(&rest))
            case UInt8(ascii: "\\"): elements.append(.byte(rest.popFirst() ?? byte))
            default: elements.append(.byte(byte))
            }
        }
        self.elements = elements
    }

    /// The set after a `[`. One that is never closed reaches to the pattern's end, as in Redis.
    private static func set(_ rest: inout ArraySlice<UInt8>) -> Element {
        var ranges: [ClosedRange<UInt8>] = []
        let negated = rest.first == UInt8(ascii: "^")
        if negated { rest.removeFirst() }
        while let byte = rest.popFirst(), byte != UInt8(ascii: "]") {
            if byte == UInt8(ascii: "\\"), let literal = rest.popFirst() {
                ranges.append(literal...literal)
            } else if rest.count >= 2, rest.first == UInt8(ascii: "-") {
                rest.removeFirst()
                let end = rest.removeFirst()
                ranges.append(min(byte, end)...max(byte, end))
            } else {
                ranges.append(byte...byte)
            }
        }
        return .set(ranges, negated: negated)
    }

    /// Goes back only to the last star, so the cost is at most the product of both lengths.
    func matches(_ text: String) -> Bool {
        let bytes = text.utf8.map(GlobPattern.lowercased)
        var element = 0
        var byte = 0
        var star: (element: Int, byte: Int)?
        while byte < bytes.count {
            if element < elements.count, case .star = elements[element] {
                star = (element, byte)
                element += 1
            } else if element < elements.count, elements[element].matches(bytes[byte]) {
                element += 1
                byte += 1
            } else if let back = star {
                star = (back.element, back.byte + 1)
                element = back.element + 1
                byte = back.byte + 1
            } else {
                return false
            }
        }
        return elements[element...].allSatisfy { if case .star = $0 { true } else { false } }
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }
}
