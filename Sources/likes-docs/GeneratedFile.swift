import Foundation

/// A part of a file that comes from a table in Swift. Two comments mark its place; the rest of the file is written by
/// hand.
struct GeneratedPart {
    /// Relative to the repository's root.
    var path: String
    /// As its first mark names it.
    var name: String
    var lines: [String]
}

/// How a kind of file writes a comment on a line of its own.
enum CommentStyle {
    case markdown, roff, hash

    init(path: String) {
        if path.hasSuffix(".md") {
            self = .markdown
        } else if path.hasPrefix("packaging/man/") {
            self = .roff
        } else {
            self = .hash
        }
    }

    func comment(_ text: String) -> String {
        switch self {
        case .markdown: "<!-- \(text) -->"
        case .roff: ".\\\" \(text)"
        case .hash: "# \(text)"
        }
    }
}

/// Why a part cannot be generated.
struct GenerationError: Error {
    var text: String
    init(_ text: String) { self.text = text }
}

extension GeneratedPart {
    /// `lines` of a file, with this part as the table gives it.
    func inserted(into lines: [String]) throws(GenerationError) -> [String] {
        let style = CommentStyle(path: path)
        let begin = style.comment("BEGIN generated: \(name)")
        let end = style.comment("END generated")
        let begins = lines.indices.filter { lines[$0] == begin }
        guard let first = begins.first, begins.count == 1 else {
            throw GenerationError("\(path): \(begins.count) lines '\(begin)', not one")
        }
        guard let last = lines[first...].firstIndex(of: end) else {
            throw GenerationError("\(path): no line '\(end)' after '\(begin)'")
        }
        return lines[...first] + self.lines + lines[last...]
    }
}

/// Brings the parts up to date. Returns the files that were out of date; with `isCheck` they stay as they are.
func generate(_ parts: [GeneratedPart], in root: String, isCheck: Bool) throws -> [String] {
    var paths: [String] = []
    for part in parts where !paths.contains(part.path) { paths.append(part.path) }
    var outdated: [String] = []
    for path in paths {
        let file = "\(root)/\(path)"
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let before = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var lines = before
        for part in parts where part.path == path { lines = try part.inserted(into: lines) }
        guard lines != before else { continue }
        outdated.append(path)
        if !isCheck { try lines.joined(separator: "\n").write(toFile: file, atomically: false, encoding: .utf8) }
    }
    return outdated
}
