import Glibc
import LikesProtocol
import LikesSettings
import LikesStorage
import LikesctlCommands

/// `likesctl export`: all likes as of one moment, in the form that `import` reads.
enum Export {
    /// `path`: nil or `-` for standard output.
    static func run(
        _ configuration: Configuration, _ path: String?, _ options: DataOptions, json: Bool
    ) throws(Failure) -> (text: String, status: ExitStatus) {
        let path = path == "-" ? nil : path
        guard !json || path != nil else {
            throw Failure(.usage, "--json needs a file: the rows go to standard output", next: "name the file")
        }
        guard options.format == .csv || path != nil || isatty(STDOUT_FILENO) == 0 else {
            throw Failure(
                .usage, "binary rows are nothing for a terminal", next: "name the file, or send them through a pipe")
        }
        // A reader that hangs up is told as any other failure to write.
        signal(SIGPIPE, SIG_IGN)
        var output = ProgressOutput(showsProgress: options.showsProgress)
        defer { output.closeLine() }
        var warnings: [Warning] = []
        let database = try Database.connected(configuration, for: .export) { warning in
            warnings.append(warning)
            if !json { output.warn(warning) }
        }
        try database.prepare(configuration, for: .export)
        let types = try StoredTypes(database, wanted: [])
        let statement = try statement(options, types)
        let all = max(0, try TableFacts(database).likes)
        try database.execute("SET statement_timeout = 0")
        let startMs = SystemCalls.nowMs()
        var file = try OutputFile(path)
        var pieces: Int64 = 0
        let rows = try database.copy(from: statement, stallMs: stallMs(options)) { (bytes) throws(Failure) in
            try file.write(bytes)
            pieces += 1
            guard pieces % progressRows == 0 else { return }
            let rate = VerifyReport.rate(pieces, since: startMs)
            output.progress(
                { "\(Counted.text(pieces, "like"))" + (all > 0 ? " of about \(all)" : "") + " (\(rate)/s)" },
                always: false)
        }
        try file.finish()
        let ms = SystemCalls.nowMs() - startMs
        guard !json else {
            let members: [(name: String, value: JSON)] = [
                ("file", .string(path ?? "")), ("likes", .integer(rows)),
                ("warnings", .array(warnings.map(\.members))), ("elapsed_ms", .integer(ms)),
            ]
            return (JSON.object([("export", .object(members))]).text + "\n", .ok)
        }
        output.closeLine()
        if let path {
            let seconds = Decimals.text(Double(ms) / 1_000, places: 1)
            return ("\(Counted.text(rows, "like")) written to \(path) in \(seconds) s\n", .ok)
        }
        return ("", .ok)
    }

    private static let progressRows: Int64 = 1_000

    /// To find an item's few likes PostgreSQL may have to read all there are, and sends nothing meanwhile.
    static func stallMs(_ options: DataOptions) -> Int64 {
        options.item == nil ? Database.copyStallMs : 24 * 3_600 * 1_000
    }

    /// A like of a type without a name, which only a manual change can have caused, is shown as `#9:456`: `import`
    /// names it and leaves it out.
    private static func statement(_ options: DataOptions, _ types: StoredTypes) throws(Failure) -> String {
        var conditions: [String] = []
        if let user = options.user { conditions.append("user_id = \(user)") }
        if let text = options.item {
            let item = try types.known(text)
            conditions.append("item_id = \(item.id) AND item_type = \(item.type)")
        }
        let condition = conditions.isEmpty ? "" : "WHERE \(conditions.joined(separator: " AND "))"
        return """
            COPY (
                SELECT user_id, coalesce(types.name, '#' || item_type) || ':' || item_id, created_at
                FROM user_likes LEFT JOIN item_types AS types ON types.id = item_type
                \(condition)
            ) TO STDOUT (FORMAT \(options.format.rawValue))
            """
    }
}

extension StoredTypes {
    /// The item of a command line.
    func known(_ text: String) throws(Failure) -> StoredItem {
        guard let item = item(of: text[...]) else {
            throw Failure(
                .usage, "'\(ForeignText.shown(text))' is not an item",
                next: "name a type of the database and a number, as in post:456")
        }
        return item
    }
}
