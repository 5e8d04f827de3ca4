/// The little markup of the tables' texts: backquotes around what is written exactly so.
enum SettingsMarkup {
    enum Piece: Equatable {
        case text(String)
        case literal(String)
    }

    /// Its pieces in order. A mark without its partner is text.
    static func pieces(_ marked: String) -> [Piece] {
        let parts = marked.split(separator: "`", omittingEmptySubsequences: false).map(String.init)
        guard parts.count % 2 == 1 else { return [.text(marked)] }
        return parts.enumerated().compactMap { place, part in
            part.isEmpty ? nil : place % 2 == 0 ? .text(part) : .literal(part)
        }
    }

    /// Without its marks.
    static func plain(_ marked: String) -> String { marked.filter { $0 != "`" } }

    /// Lines of no more than `columns` letters, parted at blanks.
    static func wrapped(_ text: String, columns: Int) -> [String] {
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
