/// Text from another program or person, made safe for a log, a terminal or one line of a reply. Whatever a server says
/// comes in through here.
package enum ForeignText {
    /// Bytes that are kept: the important part of a server's message comes first.
    package static let bytesMax = 512
    private static let cutMark = "…"

    /// One line: tabs and line ends become blanks. Control characters (C0, C1, DEL), those that change the direction of
    /// writing and invisible ones are shown as `\u{9b}`. What is not UTF-8 becomes U+FFFD. `; next` becomes `, next`:
    /// only likesd says what to do. The result is cut to `bytesMax`.
    package static func shown(_ bytes: some Collection<UInt8>, bytesMax: Int = bytesMax) -> String {
        // A character takes at least one byte; the last one may be cut.
        let isCut = bytes.count > bytesMax
        var text = ""
        var room = bytesMax - (isCut ? cutMark.utf8.count : 0)
        for scalar in String(decoding: bytes.prefix(bytesMax), as: UTF8.self).unicodeScalars {
            let shown = shown(scalar)
            room -= shown.utf8.count
            guard room >= 0 else { return NextStep.disarmed(cut(text, bytesMax)) }
            text += shown
        }
        return NextStep.disarmed(isCut ? cut(text, bytesMax) : text)
    }

    package static func shown(_ text: String) -> String { shown(text.utf8) }

    /// The same for a C string, read no further than needed.
    package static func shown(_ text: UnsafePointer<CChar>) -> String { shown(beginning(of: text, bytesMax + 1).utf8) }

    /// Its first bytes unchanged, for callers that parse them before they show them.
    package static func beginning(of text: UnsafePointer<CChar>, _ bytesMax: Int) -> String {
        var count = 0
        while count < bytesMax, text[count] != 0 { count += 1 }
        return String(decoding: UnsafeRawBufferPointer(start: text, count: count), as: UTF8.self)
    }

    /// The last gate before a log, a terminal or a status line, for text that is partly foreign: escaped as by `shown`,
    /// but neither cut nor without the mark of a next step. `lines`: line ends are the writer's own.
    package static func escaped(_ text: String, lines: Bool = false) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars { escaped += lines && scalar == "\n" ? "\n" : shown(scalar) }
        return escaped
    }

    /// Room for the mark is made if there is none.
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

    /// Whether it is a control character, the end of a line or paragraph, or one of Unicode's format characters, which
    /// change the direction of writing or are invisible, so that two different texts look the same.
    package static func steers(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return scalar.value < 0x20 || scalar.value == 0x7F }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: return true
        default: return scalar.properties.isDefaultIgnorableCodePoint
        }
    }
}
