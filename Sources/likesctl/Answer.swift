import LikesProtocol
import LikesctlCommands

/// What the daemon's reply means for the terminal and the exit status.
struct Answer {
    var text: String
    var status = ExitStatus.ok

    /// Reads the reply to `command` with these arguments; refusals are failures.
    init(_ reply: ReceivedReply, to command: Command, _ arguments: [String], json: Bool) throws(Failure) {
        if case .error(let bytes) = reply { throw Failure(ReceivedError(bytes)) }
        let value: JSON
        switch command {
        case .like, .unlike: (text, value) = try Self.change(reply, arguments)
        case .count: (text, value) = try Self.counts(reply, arguments)
        case .liked: (text, value) = try Self.likes(reply, arguments)
        case .likes:
            (text, value) = try Self.page(reply, of: ("user", arguments[0]), "items") { (one) throws(Failure) in
                try Self.string(one)
            }
        case .likers:
            (text, value) = try Self.page(reply, of: ("item", arguments[0]), "users") { (one) throws(Failure) in
                String(try Self.integer(one))
            }
        case .health: (text, value, status) = try Self.health(reply)
        case .info: (text, value) = try Self.info(reply, section: arguments.first)
        case .reload: (text, value) = try Self.reload(reply)
        case .metrics, .bench, .plan, .migrate, .verify, .import, .export, .forget, .remove:
            text = try Self.string(reply)
            value = .null
        case .ping:
            text = try Self.string(reply)
            value = .object([("reply", .string(text))])
        }
        if json { text = value.text }
        if !text.hasSuffix("\n"), json || command != .likes && command != .likers { text += "\n" }
    }

    private static func change(_ reply: ReceivedReply, _ arguments: [String]) throws(Failure) -> (String, JSON) {
        let numbers = try integers(reply, count: 2)
        return (
            "changed=\(numbers[0]) count=\(numbers[1])",
            .object([
                ("user", .string(arguments[0])), ("item", .string(arguments[1])),
                ("changed", .bool(numbers[0] == 1)), ("count", .integer(numbers[1])),
            ])
        )
    }

    /// One item or many: the JSON has the same shape.
    private static func counts(_ reply: ReceivedReply, _ items: [String]) throws(Failure) -> (String, JSON) {
        let counts = try forItems(items, reply)
        return (
            lines(items, counts),
            .array(zip(items, counts).map { .object([("item", .string($0)), ("count", .integer($1))]) })
        )
    }

    private static func likes(_ reply: ReceivedReply, _ arguments: [String]) throws(Failure) -> (String, JSON) {
        let items = Array(arguments.dropFirst())
        let liked = try forItems(items, reply)
        return (
            lines(items, liked),
            .array(
                zip(items, liked).map {
                    .object([("user", .string(arguments[0])), ("item", .string($0)), ("liked", .bool($1 == 1))])
                })
        )
    }

    /// A number for each item. A single item is asked for by a command that answers with one number.
    private static func forItems(_ items: [String], _ reply: ReceivedReply) throws(Failure) -> [Int64] {
        items.count == 1 ? [try integer(reply)] : try integers(reply, count: items.count)
    }

    /// A single item's number stands alone, so that a script can use it directly.
    private static func lines(_ items: [String], _ numbers: [Int64]) -> String {
        guard items.count > 1 else { return numbers.map { String($0) }.joined() }
        return zip(items, numbers).map { "\($0) \($1)" }.joined(separator: "\n")
    }

    /// A line for each element, none for an empty page.
    private static func page(
        _ reply: ReceivedReply, of asked: (name: String, value: String), _ name: String,
        _ element: (ReceivedReply) throws(Failure) -> String
    ) throws(Failure) -> (String, JSON) {
        guard case .array(let elements) = reply else { throw notUnderstood }
        var texts: [String] = []
        for reply in elements { texts.append(try element(reply)) }
        return (
            texts.map { $0 + "\n" }.joined(),
            .object([(asked.name, .string(asked.value)), (name, .array(texts.map { .string($0) }))])
        )
    }

    private static func health(_ reply: ReceivedReply) throws(Failure) -> (String, JSON, ExitStatus) {
        guard case .array(let fields) = reply, fields.count.isMultiple(of: 2) else { throw notUnderstood }
        var lines: [String] = []
        var members: [(name: String, value: JSON)] = []
        var status: ExitStatus?
        for place in stride(from: 0, to: fields.count, by: 2) {
            let name = try string(fields[place])
            let value = try string(fields[place + 1])
            lines.append("\(name) \(value)")
            members.append((name, .string(value)))
            guard name == "status" else { continue }
            switch value {
            case "ok": status = .ok
            case "degraded": status = .degraded
            case "down": status = .down
            default: throw notUnderstood
            }
        }
        guard let status else { throw notUnderstood }
        return (lines.joined(separator: "\n"), .object(members), status)
    }

    /// The settings that changed, and those that need a restart.
    private static func reload(_ reply: ReceivedReply) throws(Failure) -> (String, JSON) {
        guard case .array(let fields) = reply, fields.count == 4, fields[0].text == "applied",
            fields[2].text == "restart"
        else { throw notUnderstood }
        let (applied, restart) = (try strings(fields[1]), try strings(fields[3]))
        var lines = [applied.isEmpty ? "nothing changed" : "applied \(applied.joined(separator: ", "))"]
        if !restart.isEmpty { lines.append("restart required for \(restart.joined(separator: ", "))") }
        return (
            lines.joined(separator: "\n"),
            .object([
                ("applied", .array(applied.map { .string($0) })), ("restart", .array(restart.map { .string($0) })),
            ])
        )
    }

    private static func info(_ reply: ReceivedReply, section: String?) throws(Failure) -> (String, JSON) {
        let text = try string(reply).split(separator: "\r\n", omittingEmptySubsequences: false).joined(separator: "\n")
        guard !text.isEmpty else {
            throw Failure(.notUnderstood, "the daemon has no section '\(section ?? "")': is it of this version?")
        }
        return (text, sections(text))
    }

    /// INFO's `# Section` and `name:value` lines as one object for each section.
    private static func sections(_ text: String) -> JSON {
        var sections: [(name: String, value: JSON)] = []
        var name = ""
        var members: [(name: String, value: JSON)] = []
        func endSection() {
            if !members.isEmpty { sections.append((name, .object(members))) }
            members = []
        }
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# ") {
                endSection()
                name = line.dropFirst(2).lowercased()
            } else if let colon = line.firstIndex(of: ":") {
                let value = String(line[line.index(after: colon)...])
                let number = Int64(value).flatMap { String($0) == value ? JSON.integer($0) : nil }
                members.append((String(line[..<colon]), number ?? .string(value)))
            }
        }
        endSection()
        return .object(sections)
    }

    // MARK: Shapes

    private static let notUnderstood = Failure(
        .notUnderstood, "the daemon's answer was not understood: is it likesd, and of this version?",
        next: ConnectFailure.nameSocket)

    private static func integer(_ reply: ReceivedReply) throws(Failure) -> Int64 {
        guard case .integer(let number) = reply else { throw notUnderstood }
        return number
    }

    private static func integers(_ reply: ReceivedReply, count: Int) throws(Failure) -> [Int64] {
        guard case .array(let elements) = reply, elements.count == count else { throw notUnderstood }
        var numbers: [Int64] = []
        for element in elements { numbers.append(try integer(element)) }
        return numbers
    }

    private static func strings(_ reply: ReceivedReply) throws(Failure) -> [String] {
        guard case .array(let elements) = reply else { throw notUnderstood }
        var texts: [String] = []
        for element in elements { texts.append(try string(element)) }
        return texts
    }

    private static func string(_ reply: ReceivedReply) throws(Failure) -> String {
        guard let text = reply.text else { throw notUnderstood }
        return text
    }
}
