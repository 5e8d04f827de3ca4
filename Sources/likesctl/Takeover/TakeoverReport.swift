import LikesProtocol
import LikesctlCommands

/// Says what a take-over does as it goes: it may take hours, and be ended at any moment.
final class TakeoverReport {
    private let json: Bool
    private var output = ProgressOutput(showsProgress: false)
    private var warnings: [Warning] = []
    /// Counters that were wrong, and those of them that were set right.
    var counters = (differing: Int64(0), mended: Int64(0))

    init(json: Bool) { self.json = json }

    /// Something that is done now, or was before.
    func done(_ text: String) throws(Failure) {
        try output.print(json ? JSON.object([("done", .string(text))]).text : text)
    }

    func found(_ rows: UnheldRows) throws(Failure) { try output.print(json ? rows.json.text : rows.text) }

    func found(_ index: SpareIndex, _ fate: SpareIndex.Fate) throws(Failure) {
        try output.print(json ? index.json(fate).text : index.text(fate))
    }

    /// People are told at once, and programs at the end.
    func warn(_ warning: Warning) {
        guard !warnings.contains(warning) else { return }
        warnings.append(warning)
        if !json { output.warn(warning) }
    }

    func progress(_ text: @autoclosure () -> String) { output.progress(text, always: false) }

    /// Before somebody else writes to the terminal.
    func closeLine() { output.closeLine() }

    /// The last line.
    func end(_ state: String, _ text: String, database: String) throws(Failure) {
        guard json else { return try output.print(text) }
        let members: [(name: String, value: JSON)] = [
            ("database", .string(database)), ("state", .string(state)),
            ("counters_differing", .integer(counters.differing)), ("counters_mended", .integer(counters.mended)),
            ("warnings", .array(warnings.map(\.members))),
        ]
        try output.print(JSON.object(members).text)
    }
}
