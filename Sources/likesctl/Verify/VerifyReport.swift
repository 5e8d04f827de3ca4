import Glibc
import LikesProtocol
import LikesStorage
import LikesctlCommands

/// Prints what the audit finds, and keeps its sums.
final class VerifyReport {
    /// Milliseconds between two lines of progress.
    private static let progressEveryMs: Int64 = 500
    private static let terminalEveryMs: Int64 = 100

    private let options: VerifyOptions
    private let json: Bool
    private let types: StoredTypes
    /// Whether `--repair` can correct anything, with the tables as they are.
    private let isMendable: Bool
    private let startedMs = SystemCalls.nowMs()
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var progressMs: Int64 = 0
    private var isLineOpen = false

    private(set) var items: Int64 = 0
    var likes: Int64 = 0
    var passes: Int64 = 0
    /// Items that changed too often to be compared in the time allowed.
    var undecided: Int64 = 0
    private var countersDiffering: Int64 = 0
    private var redisDiffering: Int64 = 0
    private var likesTwice: Int64 = 0
    private var misfits: Int64 = 0
    /// Items of each type that `item_types` does not name.
    private var unnamed: [Int16: Int64] = [:]
    private(set) var mended: Int64 = 0

    var redisCompared: Int64 = 0
    var redisOldGeneration: Int64 = 0
    var redisForeign: Int64 = 0
    var redisAwaitingRepair: Int64 = 0
    /// Why Redis was not checked, or not all of it.
    private(set) var redisTrouble: String?
    /// Why likes and counters were not compared.
    private(set) var trouble: String?

    init(_ options: VerifyOptions, json: Bool, types: StoredTypes, isMendable: Bool) {
        self.isMendable = isMendable
        self.options = options
        self.json = json
        self.types = types
    }

    private var differing: Int64 { countersDiffering + redisDiffering + likesTwice + byHand }
    /// What no `--repair` corrects.
    private var byHand: Int64 { misfits + Int64(unnamed.count) }

    var status: ExitStatus {
        if differing > mended { return .differences }
        return trouble != nil || redisTrouble != nil || undecided > 0 ? .incomplete : .ok
    }

    // MARK: Findings

    /// One difference; `isMended` is nil if nothing is repaired.
    func found(_ difference: Difference, isMended: Bool?) throws(Failure) {
        switch difference.finding {
        case .counter: countersDiffering += 1
        case .redis: redisDiffering += 1
        case .twice: likesTwice += 1
        }
        if isMended == true { mended += 1 }
        try print(
            json
                ? difference.json(types, isMended: isMended).text : difference.text(types, isMended: isMended))
    }

    /// Something that is wrong with the tables themselves, which must be corrected manually.
    func found(_ misfit: SchemaMisfit) throws(Failure) {
        misfits += 1
        try print(
            json
                ? JSON.object([
                    ("table", .string(misfit.name)), ("kind", .string(misfit.kind.rawValue)),
                    ("message", .string(misfit.text)), ("sql", misfit.remedy.sql.map { .string($0) } ?? .null),
                    ("next", .string(misfit.next)),
                ]).text : "\(misfit.name) \(misfit.kind.rawValue): \(misfit.text); \(misfit.next)")
    }

    /// The item was compared with its likes.
    func checked(_ item: StoredItem) {
        items += 1
        if !types.isNamed(item) { unnamed[item.type, default: 0] += 1 }
    }

    /// Reports the types that `item_types` does not name, of all items that were checked.
    func foundUnnamedTypes() throws(Failure) {
        for (number, count) in unnamed.sorted(by: { $0.key < $1.key }) {
            let message = "item_types has no name for the number \(number), which is the type of \(count) items"
            let next =
                "restore its row, or name it again: INSERT INTO item_types (id, name) VALUES (\(number), 'NAME'); a "
                + "new type could get the number, and these likes with it"
            try print(
                json
                    ? JSON.object([
                        ("table", .string("item_types")), ("kind", .string("unnamed-type")),
                        ("number", .integer(Int64(number))), ("items", .integer(count)), ("message", .string(message)),
                        ("sql", .null), ("next", .string("next: \(next)")),
                    ]).text : "item_types unnamed-type: \(message); next: \(next)")
        }
    }

    /// Reported at once, and again in the summary.
    func notCompared(_ reason: String) {
        trouble = reason
        closeLine()
        // If this cannot be written, the exit status still says it.
        _ = SystemCalls.write("likesctl: \(ForeignText.escaped(reason))\n", to: STDERR_FILENO)
    }

    /// A counter in Redis that likesd treats as missing.
    func notBelieved(_ key: String, isOfOldGeneration: Bool) throws(Failure) {
        if isOfOldGeneration { redisOldGeneration += 1 } else { redisForeign += 1 }
        guard options.isVerbose else { return }
        let key = ForeignText.shown(key)
        let kind = isOfOldGeneration ? "old-generation" : "foreign"
        try print(
            json ? JSON.object([("key", .string(key)), ("kind", .string(kind))]).text : "\(key) \(kind)")
    }

    /// Reported at once, and again in the summary.
    func redisNotChecked(_ reason: String) {
        guard redisTrouble == nil else { return }
        redisTrouble = reason
        closeLine()
        // If this cannot be written, the exit status still says it.
        _ = SystemCalls.write("likesctl: Redis was not checked: \(ForeignText.escaped(reason))\n", to: STDERR_FILENO)
    }

    private func print(_ line: String) throws(Failure) {
        closeLine()
        guard SystemCalls.write(ForeignText.escaped(line, lines: true) + "\n", to: STDOUT_FILENO) else {
            throw Failure(.output, "the output could not be written: \(SystemCalls.text(of: errno))")
        }
    }

    // MARK: Progress

    /// Shows how far it is, at a limited rate. `always`: the last line of a part.
    func progress(_ text: @autoclosure () -> String, always: Bool = false) {
        guard !options.isQuiet, isTerminal || options.showsProgress else { return }
        let nowMs = SystemCalls.nowMs()
        let everyMs = isTerminal ? Self.terminalEveryMs : Self.progressEveryMs
        guard always || nowMs - progressMs >= everyMs else { return }
        progressMs = nowMs
        let found = "\(differing) differences" + (options.repairs ? ", \(mended) mended" : "")
        let line = "\(text()); \(found)"
        // Failing to show progress is no reason to end.
        _ = SystemCalls.write(isTerminal ? "\r\u{1B}[K\(line)" : line + "\n", to: STDERR_FILENO)
        isLineOpen = isTerminal
    }

    /// Per second since `startMs`.
    static func rate(_ count: Int64, since startMs: Int64) -> Int64 {
        count * 1_000 / max(1, SystemCalls.nowMs() - startMs)
    }

    private func closeLine() {
        guard isLineOpen else { return }
        isLineOpen = false
        _ = SystemCalls.write("\r\u{1B}[K", to: STDERR_FILENO)
    }

    // MARK: The end

    /// The summary, unless only differences are wanted.
    func finish() throws(Failure) {
        closeLine()
        guard !options.isQuiet else { return }
        try print(json ? summaryJSON.text : summaryText)
    }

    private var seconds: String {
        let tenths = (SystemCalls.nowMs() - startedMs + 50) / 100
        return "\(tenths / 10).\(tenths % 10)"
    }

    private var summaryText: String {
        var lines = [
            "PostgreSQL: \(items) items, \(likes) likes read in \(passes) passes: \(countersDiffering) differences"
        ]
        if misfits > 0 { lines.append("Tables: \(misfits) to correct manually, see above") }
        if !unnamed.isEmpty { lines.append("Item types without a name: \(unnamed.count), see above") }
        if likesTwice > 0 { lines.append("Likes stored more than once: \(likesTwice)") }
        if let trouble { lines.append("Not compared: \(trouble)") }
        if undecided > 0 {
            lines.append(
                "Undecided: \(undecided) items that change too often to be counted within "
                    + "\(options.snapshotSeconds) s; raise --snapshot-seconds")
        }
        if let redisTrouble { lines.append("Redis: not checked: \(redisTrouble)") }
        if redisTrouble == nil || redisCompared > 0 {
            lines.append("Redis: \(redisCompared) counters: \(redisDiffering) differences")
        }
        let others = [
            (redisOldGeneration, "from an older generation"), (redisForeign, "without a version from likesd"),
            (redisAwaitingRepair, "waiting for repair by likesd"),
        ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        if !others.isEmpty { lines.append("Not believed by likesd, no differences: \(others.joined(separator: ", "))") }
        lines.append("\(differing) differences\(mending), in \(seconds) s")
        return lines.joined(separator: "\n")
    }

    /// What was corrected, or would be.
    private var mending: String {
        if options.repairs { return ", \(mended) mended" }
        guard differing > byHand else { return "" }
        let which = byHand > 0 ? "\(differing - byHand) of them" : "them"
        return ": --repair corrects \(which)" + (isMendable ? "" : " after the tables were corrected manually")
    }

    private var summaryJSON: JSON {
        .object([
            (
                "summary",
                .object([
                    ("items", .integer(items)), ("likes_read", .integer(likes)), ("passes", .integer(passes)),
                    ("misfits", .integer(misfits)), ("likes_twice", .integer(likesTwice)),
                    ("unnamed_types", .integer(Int64(unnamed.count))),
                    ("trouble", trouble.map { .string($0) } ?? .null), ("undecided", .integer(undecided)),
                    ("differences", .integer(differing)),
                    ("counter_differences", .integer(countersDiffering)),
                    ("redis_differences", .integer(redisDiffering)), ("mended", .integer(mended)),
                    (
                        "redis",
                        .object([
                            ("checked", .bool(redisTrouble == nil)),
                            ("trouble", redisTrouble.map { .string($0) } ?? .null),
                            ("counters", .integer(redisCompared)), ("old_generation", .integer(redisOldGeneration)),
                            ("foreign", .integer(redisForeign)), ("awaiting_repair", .integer(redisAwaitingRepair)),
                        ])
                    ),
                    ("elapsed_ms", .integer(SystemCalls.nowMs() - startedMs)),
                ])
            )
        ])
    }
}

extension SchemaMisfit {
    /// What to do: statements to run manually.
    fileprivate var next: String {
        let text = remedy.text { "run: \($0)" }
        return text.hasPrefix("run: ") ? text : "next: \(text)"
    }
}
