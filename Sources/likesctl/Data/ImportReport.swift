import LikesProtocol
import LikesctlCommands

/// Tells how an import goes on, and what came of it.
final class ImportReport {
    enum Part {
        case reading, loading, sorting, adding
    }

    private let json: Bool
    private var output: ProgressOutput
    private let startedMs = SystemCalls.nowMs()
    private var part = Part.reading
    /// When the part began, and what had been done of it by then.
    private var partMs = SystemCalls.nowMs()
    private var doneBefore: Int64 = 0
    private var named: [String] = []
    private var warnings: [Warning] = []

    init(_ options: DataOptions, json: Bool) {
        self.json = json
        output = ProgressOutput(showsProgress: options.showsProgress)
    }

    // MARK: On the way

    /// `done`: what was done of the part before.
    func begin(_ part: Part, done: Int64 = 0) {
        self.part = part
        partMs = SystemCalls.nowMs()
        doneBefore = done
    }

    func progress(_ state: ImportState, always: Bool = false) {
        output.progress({ text(state) }, always: always)
    }

    func waits(_ what: String, _ state: ImportState) {
        output.progress({ "\(text(state)); waits \(what)" }, always: false)
    }

    private func text(_ state: ImportState) -> String {
        switch part {
        case .reading: return "reading what is loaded already"
        case .loading:
            let done = state.input.rows
            return "loaded: \(Counted.text(done, "row")) (\(rate(done))/s)"
        case .sorting: return "sorting \(Counted.text(state.input.rows, "row"))"
        case .adding:
            let done = state.merged
            let rate = rate(done)
            let left = (state.likes - done) / max(1, rate)
            let percent = 100 * done / max(1, state.likes)
            return "added: \(percent) % of \(Counted.text(state.likes, "like")), \(state.added) new, "
                + "\(done - state.added) already there (\(rate)/s, \(Counted.text(left, "second")) left)"
        }
    }

    /// How many a second in this part.
    private func rate(_ done: Int64) -> Int64 { VerifyReport.rate(done - doneBefore, since: partMs) }

    /// A row that is no like. Programs get all of these at the end.
    func leftOut(_ text: String) {
        named.append(text)
        guard !json else { return }
        tell("left out: \(text)")
    }

    func goesOn(_ state: ImportState) {
        let rows = Counted.text(state.input.rows, "row")
        tell("goes on with the import of \(state.shownSource), of which \(rows) are loaded")
    }

    /// People are told at once.
    func tell(_ text: String) {
        guard !json else { return }
        output.closeLine()
        Warning(message: text, next: nil).tell()
    }

    func warn(_ warning: Warning) {
        warnings.append(warning)
        guard !json else { return }
        output.warn(warning)
    }

    func close() { output.closeLine() }

    // MARK: The end

    func abandoned(_ state: ImportState) -> String {
        guard !json else { return JSON.object([("abandoned", members(state))]).text + "\n" }
        return
            "the import of \(state.shownSource) was given up; \(Counted.text(state.added, "like")) of it were added\n"
    }

    func finished(_ state: ImportState) -> String {
        output.closeLine()
        guard !json else { return JSON.object([("import", members(state))]).text + "\n" }
        var lines = [
            "\(Counted.text(state.input.rows, "row")): \(Counted.text(state.added, "new like")), "
                + "\(state.merged - state.added) already there, \(state.duplicates) more than once in the input"
        ]
        let left = state.left
        if left.count > 0 {
            let kinds = [
                (left.user, "without a valid user"), (left.item, "without a valid item"),
                (left.type, "of an unknown type"),
            ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
            lines.append("left out: \(Counted.text(left.count, "row")): \(kinds.joined(separator: ", "))")
            if left.item > 0 { lines.append("an item is a type and a number, as in post:456") }
            if left.type > 0 {
                lines.append("add the type to ITEM_TYPES, run likesctl migrate, and import the same input again")
            }
        }
        lines.append("in \(Decimals.text(Double(SystemCalls.nowMs() - startedMs) / 1_000, places: 1)) s")
        return lines.joined(separator: "\n") + "\n"
    }

    private func members(_ state: ImportState) -> JSON {
        .object([
            ("source", .string(state.shownSource)), ("rows", .integer(state.input.rows)),
            ("added", .integer(state.added)), ("already_there", .integer(state.merged - state.added)),
            ("duplicates", .integer(state.duplicates)),
            (
                "left_out",
                .object([
                    ("user", .integer(state.left.user)), ("item", .integer(state.left.item)),
                    ("type", .integer(state.left.type)), ("named", .array(named.map { .string($0) })),
                ])
            ),
            ("warnings", .array(warnings.map(\.members))),
            ("elapsed_ms", .integer(SystemCalls.nowMs() - startedMs)),
        ])
    }
}
