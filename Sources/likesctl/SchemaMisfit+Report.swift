import LikesStorage
import LikesctlCommands

// What is wrong with the tables themselves, as `migrate` and `verify` report it.
extension SchemaMisfit {
    /// One line. `next`: the remedy, as the command words it.
    func line(_ next: String) -> String {
        let remedy = remedy.statementsAlone.map { "run: \($0)" } ?? "next: \(next)"
        return "\(name) \(kind.rawValue): \(text); \(remedy)"
    }

    func json(_ next: String) -> JSON {
        .object([
            ("table", .string(name)), ("kind", .string(kind.rawValue)), ("message", .string(text)),
            ("sql", remedy.sql.map { .string($0) } ?? .null), ("next", .string(remedy.statementsAlone ?? next)),
        ])
    }
}
