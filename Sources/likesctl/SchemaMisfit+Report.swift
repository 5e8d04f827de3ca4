import LikesStorage
import LikesctlCommands

// What is wrong with the tables themselves, as `migrate` and `verify` report it.
extension SchemaMisfit {
    /// One line.
    var line: String {
        let text = remedy.text
        return "\(name) \(kind.rawValue): \(self.text); \(text.hasPrefix(Self.run) ? text : "next: \(text)")"
    }

    var json: JSON {
        let text = remedy.text
        return .object([
            ("table", .string(name)), ("kind", .string(kind.rawValue)), ("message", .string(self.text)),
            ("sql", remedy.sql.map { .string($0) } ?? .null),
            ("next", .string(text.hasPrefix(Self.run) ? String(text.dropFirst(Self.run.count)) : text)),
        ])
    }

    /// How a remedy begins that is nothing but statements.
    private static let run = "run: "
}
