/// Text that another program or person wrote, made fit for a log, a terminal or one line of a reply: the one way in for
/// whatever a server says.
package enum ForeignText {
    /// Bytes that are kept of it; what a server's message has to say stands in front.
    package static let bytesMax = 512
    private static let cutMark = "…"

    /// One line: blanks for tabs and ends of lines, control characters (C0, C1, DEL), those that change the direction
    /// of writing and those that nobody sees as `\u{9b}`, what is no UTF-8 as U+FFFD, and cut to `bytesMax`.
    package static func shown(_ bytes: some Collection<UInt8>, bytesMax: Int = bytesMax) -> String {
        // No character takes less than one byte; the last may be cut within.
        let isCut = bytes.count > bytesMax
        var text = ""
        var room = bytesMax - (isCut ? cutMark.utf8.count : 0)
        for scalar in String(decoding: bytes.prefix(bytesMax), as: UTF8.self).unicodeScalars {
            let shown = shown(scalar)
            room -= shown.utf8.count
            guard room >= 0 else { return cut(text, bytesMax) }
            text += shown
        }
        return isCut ? cut(text, bytesMax) : text
    }

    package static func shown(_ text: String) -> String { shown(text.utf8) }

    /// Of a C string; it is not looked at beyond what is shown of it.
    package static func shown(_ text: UnsafePointer<CChar>) -> String { shown(beginning(of: text, bytesMax + 1).utf8) }

    /// Its first bytes as they are, for whoever takes them apart before they are shown.
    package static func beginning(of text: UnsafePointer<CChar>, _ bytesMax: Int) -> String {
        var count = 0
        while count < bytesMax, text[count] != 0 { count += 1 }
        return String(decoding: UnsafeRawBufferPointer(start: text, count: count), as: UTF8.self)
    }

    /// The last gate before a log, a terminal or a status line, for text of which parts may be foreign: escaped as
    /// `shown` does it, and whole. `lines`: ends of lines are the writer's own.
    package static func escaped(_ text: String, lines: Bool = false) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars { escaped += lines && scalar == "\n" ? "\n" : shown(scalar) }
        return escaped
    }

    /// Room for the mark is made where there is none.
    private static func cut(_ text: String, _ bytesMax: Int) -> String {
        var text = text
        while text.utf8.count + cutMark.utf8.count > bytesMax { text.unicodeScalars.removeLast() }
        return text + cutMark
    }

    private static func shown(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\t", "\n", "\r": " "
        case _ where steers(scalar): "\\u{\(String(scalar.value, radix: 16))}"
        default: String(scalar)
        }
    }

    /// A control character; the end of a line or paragraph; one of Unicode's format characters, which change the
    /// direction of writing, or stand there unseen so that two texts look the same.
    package static func steers(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return scalar.value < 0x20 || scalar.value == 0x7F }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: return true
        default: return scalar.properties.isDefaultIgnorableCodePoint
        }
    }
}
