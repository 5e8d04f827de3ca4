import LikesProtocol
import LikesctlCommands

/// Tells how a removal goes on, what came of it, and the system's journal that it was made.
final class RemovalReport {
    private let json: Bool
    private var output: ProgressOutput
    private let startedMs = SystemCalls.nowMs()
    /// What it could not do.
    private var undone: [Warning] = []
    private var warnings: [Warning] = []

    init(_ options: DataOptions, json: Bool) {
        self.json = json
        output = ProgressOutput(showsProgress: options.showsProgress)
    }

    var status: ExitStatus { undone.isEmpty ? .ok : .incomplete }

    func progress(_ removed: Int64, percent: Int64? = nil) {
        output.progress({ text(removed) + (percent.map { "; \($0) % of all likes read" } ?? "") }, always: false)
    }

    func waits(_ what: String, _ removed: Int64) {
        output.progress({ "\(text(removed)); waits \(what)" }, always: false)
    }

    private func text(_ removed: Int64) -> String {
        "\(Counted.text(removed, "like")) removed (\(VerifyReport.rate(removed, since: startedMs))/s)"
    }

    func warn(_ warning: Warning) {
        warnings.append(warning)
        if !json { output.warn(warning) }
    }

    /// Something that it was to do, and has not done.
    func incomplete(_ warning: Warning) {
        undone.append(warning)
        warn(warning)
    }

    func goOnComing(_ subject: Removal.Subject) {
        let (what, next) =
            switch subject {
            case .user: ("the user", "run this again once the user can like no more")
            case .item: ("the item", "run this again once nobody can like it any more")
            }
        incomplete(Warning(message: "likes of \(what) keep coming: those that came last are still there", next: next))
    }

    /// What the import has not added yet may be among it.
    func importMayAdd(_ subject: Removal.Subject) {
        incomplete(
            Warning(
                message: "an import is unfinished: it may add likes of \(subject.name) again",
                next: "run this again once it has ended or was given up (likesctl import --abandon)"))
    }

    /// By a signal, after the last step.
    func stopped(_ subject: Removal.Subject, _ removed: Int64) {
        tell("\(subject.name): stopped, \(Counted.text(removed, "like")) removed; run this again to remove the rest")
    }

    private func tell(_ text: String) {
        output.closeLine()
        Warning(message: text, next: nil).tell()
    }

    func close() { output.closeLine() }

    // MARK: The record

    /// A line for the record, with who asked for it.
    func record(_ subject: Removal.Subject, _ removed: Int64, isComplete: Bool) {
        let what = "\(subject.verb) \(subject.name)"
        let text =
            "\(what): \(Counted.text(removed, "like")) removed\(isComplete ? "" : ", not all"), "
            + "by \(SystemJournal.asker)"
        guard !SystemJournal.note(text) else { return }
        warn(Warning(message: "there is no journal to record this in: \(text)", next: nil))
    }

    // MARK: The end

    func counted(_ likes: Int64, _ subject: Removal.Subject) -> String {
        output.closeLine()
        guard !json else { return object(subject, [("likes", .integer(likes)), ("dry_run", .bool(true))]) }
        return "\(subject.name) has \(Counted.text(likes, "like")): nothing was removed\n"
    }

    func finished(_ subject: Removal.Subject, _ removed: Int64) -> String {
        output.closeLine()
        guard !json else { return object(subject, [("removed", .integer(removed)), ("dry_run", .bool(false))]) }
        let seconds = Decimals.text(Double(SystemCalls.nowMs() - startedMs) / 1_000, places: 1)
        return "\(subject.name): \(Counted.text(removed, "like")) removed in \(seconds) s\n"
    }

    private func object(_ subject: Removal.Subject, _ members: [(name: String, value: JSON)]) -> String {
        let all =
            [("subject", .string(subject.name))] + members + [
                ("warnings", .array(warnings.map(\.members))),
                ("elapsed_ms", .integer(SystemCalls.nowMs() - startedMs)),
            ]
        return JSON.object([(subject.verb, .object(all))]).text + "\n"
    }
}

extension Removal.Subject {
    fileprivate var verb: String {
        switch self {
        case .user: "forget"
        case .item: "remove"
        }
    }

    fileprivate var name: String {
        switch self {
        case .user(let user): "user \(user)"
        case .item(_, let text): text
        }
    }
}
