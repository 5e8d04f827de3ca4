/// What likesctl can be told to do.
package enum Command: String, CaseIterable, Sendable {
    case like, unlike, count, liked, likes, likers, health, info, metrics, ping, reload, bench, plan, migrate, verify
    case `import`, export, forget, remove

    /// Whether it has such an option.
    package func takes(_ option: CommandOption) -> Bool { description.options.contains { $0.name == option.name } }

    /// Whether it may have stored something if no answer comes.
    package var isChange: Bool {
        switch self {
        case .like, .unlike: true
        case .count, .liked, .likes, .likers, .health, .info, .metrics, .ping, .reload, .bench, .plan, .migrate,
            .verify, .import, .export, .forget, .remove:
            false
        }
    }

    /// `likesctl like [--socket PATH] [--json] USER ITEM`
    package var usage: String {
        let options = description.options.map { "[\($0.usage)]" + ($0.mayBeRepeated ? "…" : "") }
        return (["likesctl", rawValue] + options + description.arguments.map(\.usage)).joined(separator: " ")
    }
}
