/// The markup of the tables' texts: backquotes surround what is written exactly so, asterisks surround the name of a
/// value. The manual, the documents and the help show the same text, each in its own form.
package enum Markup {
    package enum Piece: Equatable {
        case text(String)
        case literal(String)
        case name(String)
    }

    /// Its pieces in order. A mark without its partner is text.
    package static func pieces(_ marked: String) -> [Piece] {
        var pieces: [Piece] = []
        var text = ""
        var rest = Substring(marked)
        while let mark = rest.popFirst() {
            guard mark == "`" || mark == "*", let end = rest.firstIndex(of: mark), end > rest.startIndex else {
                text.append(mark)
                continue
            }
            if !text.isEmpty { pieces.append(.text(text)) }
            text = ""
            let inner = String(rest[..<end])
            pieces.append(mark == "`" ? .literal(inner) : .name(inner))
            rest = rest[rest.index(after: end)...]
        }
        if !text.isEmpty { pieces.append(.text(text)) }
        return pieces
    }

    /// For a terminal: names in capitals, as the usage has them; quotes only where something would be unclear.
    package static func plain(_ marked: String) -> String {
        pieces(marked).map { piece in
            switch piece {
            case .text(let text): text
            case .literal(let literal): literal.contains(where: { " =:".contains($0) }) ? "'\(literal)'" : literal
            case .name(let name): name.uppercased()
            }
        }.joined()
    }

    /// Lines of at most `columns` characters, broken at blanks.
    package static func wrapped(_ text: String, columns: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > columns {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        if !line.isEmpty { lines.append(line) }
        return lines
    }
}
