import LikesctlCommands

/// Text in the form of `Markup` as lines of mdoc(7).
enum Mdoc {
    private static let columns = 80
    private static let opening = Set("([")
    private static let closing = Set(".,:;)]?!")

    /// A word of a paragraph: pieces without a blank between them.
    private typealias Word = [Markup.Piece]

    typealias Macro = (name: String, argument: String)

    /// A paragraph, each sentence on lines of its own. `macro`: the one for a literal.
    static func paragraph(_ marked: String, _ macro: (String) -> Macro = Mdoc.macro) -> [String] {
        var lines: [String] = []
        var line = ""
        func endLine() {
            if !line.isEmpty { lines.append(line) }
            line = ""
        }
        for word in words(marked) {
            guard word.count > 1 || !isText(word[0]) else {
                let text = escaped(word[0].unmarked)
                if !line.isEmpty, line.count + 1 + text.count > columns { endLine() }
                if line.isEmpty, text.hasPrefix(".") || text.hasPrefix("'") { line = "\\&" }
                line += (line.isEmpty || line == "\\&" ? "" : " ") + text
                if text.last.map({ ".?!".contains($0) }) == true { endLine() }
                continue
            }
            endLine()
            lines.append("." + macros(word, macro))
        }
        endLine()
        return lines
    }

    /// The same as one sentence: with a capital at the beginning and a point at the end.
    static func sentence(_ marked: String) -> [String] {
        let text = marked.prefix(1).uppercased() + marked.dropFirst()
        return paragraph(text.hasSuffix(".") ? text : text + ".")
    }

    static func example(_ text: String) -> [String] {
        [".Bd -literal -offset 2n"] + text.split(separator: "\n").map { escaped(String($0)) } + [".Ed"]
    }

    /// A list of tags, given as macros, each with its description.
    static func list(_ items: [(tag: String, body: [String])], offset: String? = nil) -> [String] {
        var lines = [".Bl -tag -width 4n" + (offset.map { " -offset \($0)" } ?? "")]
        for (tag, body) in items { lines += [".It " + tag] + body }
        return lines + [".El"]
    }

    /// An argument of a macro.
    static func argument(_ text: String) -> String {
        let safe = escaped(text).replacing("\"", with: "\\(dq")
        let isMacroName =
            (2...3).contains(safe.count) && safe.first?.isUppercase ?? false && safe.last?.isLowercase ?? false
        let isDelimiter = safe.count == 1 && safe.allSatisfy { opening.contains($0) || closing.contains($0) }
        if isMacroName || isDelimiter { return "\\&" + safe }
        return safe.contains(" ") ? "\"\(safe)\"" : safe
    }

    private static func words(_ marked: String) -> [Word] {
        var words: [Word] = []
        var isOpen = false
        for piece in Markup.pieces(marked) {
            guard case .text(let text) = piece else {
                if isOpen { words[words.count - 1].append(piece) } else { words.append([piece]) }
                isOpen = true
                continue
            }
            for (place, part) in text.split(separator: " ", omittingEmptySubsequences: false).enumerated() {
                if place > 0 { isOpen = false }
                guard !part.isEmpty else { continue }
                if isOpen {
                    words[words.count - 1].append(.text(String(part)))
                } else {
                    words.append([.text(String(part))])
                }
                isOpen = true
            }
        }
        return words
    }

    /// Delimiters at either end are arguments, what else has no blank before it is joined.
    private static func macros(_ word: Word, _ macro: (String) -> Macro) -> String {
        var pieces = word[...]
        var before: [String] = []
        var behind: [String] = []
        if case .text(let text)? = pieces.first, text.allSatisfy(opening.contains) {
            before = text.map { String($0) }
            pieces.removeFirst()
        }
        if case .text(let text)? = pieces.last, text.allSatisfy(closing.contains) {
            behind = text.map { String($0) }
            pieces.removeLast()
        }
        var parts: [String] = []
        for (place, piece) in pieces.enumerated() {
            let (name, argument) =
                switch piece {
                case .text(let text): ("No", argument(text))
                case .name(let name): ("Ar", argument(name))
                case .literal(let literal): macro(literal)
                }
            let opened = place == 0 ? [name] + before : [name]
            parts.append((opened + [argument]).joined(separator: " "))
        }
        return ([parts.joined(separator: " Ns ")] + behind).joined(separator: " ")
    }

    /// The macro for what is written exactly so.
    private static func macro(_ literal: String) -> Macro {
        if literal.hasPrefix("-") { return ("Fl", argument(String(literal.dropFirst()))) }
        if literal.hasPrefix("/") { return ("Pa", argument(literal)) }
        if literal.contains("_"), literal.allSatisfy({ $0.isUppercase || $0 == "_" }) {
            return ("Ev", argument(literal))
        }
        if Command(rawValue: literal) != nil { return ("Cm", argument(literal)) }
        let isWord = literal.allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" }
        return (isWord ? "Li" : "Ql", argument(literal))
    }

    private static func isText(_ piece: Markup.Piece) -> Bool { if case .text = piece { true } else { false } }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\e").replacing("␍␊", with: "\\er\\en").replacing("…", with: "...")
    }
}

extension Markup.Piece {
    /// Without its marks.
    var unmarked: String {
        switch self {
        case .text(let text), .literal(let text), .name(let text): text
        }
    }
}
