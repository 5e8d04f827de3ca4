import LikesProtocol
import LikesStorage
import LikesctlCommands

/// Prints what the audit finds, and keeps its sums.
final class VerifyReport {
    private let options: VerifyOptions
    private let json: Bool
    private let types: StoredTypes
    /// Whether `--repair` can mend anything, with the tables as they are.
    private let isMendable: Bool
    private let startedMs = SystemCalls.nowMs()
    private var output: ProgressOutput
    var database = DatabaseSums()
    var redis = RedisSums()
    private(set) var mended: Int64 = 0

    init(_ options: VerifyOptions, json: Bool, types: StoredTypes, isMendable: Bool) {
        self.isMendable = isMendable
        self.options = options
        self.json = json
        self.types = types
        output = ProgressOutput(showsProgress: options.showsProgress, isQuiet: options.isQuiet)
    }

    private var differing: Int64 { database.differing + redis.differing }

    var status: ExitStatus {
        if differing > mended { return .differences }
        return warnings.isEmpty ? .ok : .incomplete
    }

    /// What was not checked, or not decided.
    private var warnings: [Warning] { [database.trouble, undecided, redisUnchecked].compactMap { $0 } }

    private var undecided: Warning? {
        guard database.undecided > 0 else { return nil }
        return Warning(
            message: "\(Counted.text(database.undecided, "item")) changing too often to be counted within "
                + "\(options.snapshotSeconds) s",
            next: "raise --snapshot-seconds")
    }

    private var redisUnchecked: Warning? {
        redis.trouble.map { Warning(message: "Redis was not checked: \($0.message)", next: $0.next) }
    }

    // MARK: Findings

    /// One difference; `isMended` is nil if nothing is repaired.
    func found(_ difference: Difference, isMended: Bool?) throws(Failure) {
        switch difference.finding {
        case .counter: database.countersDiffering += 1
        case .redis: redis.differing += 1
        case .twice: database.likesTwice += 1
        }
        if isMended == true { mended += 1 }
        try output.print(
            json
                ? difference.json(types, isMended: isMended).text : difference.text(types, isMended: isMended))
    }

    /// Something that is wrong with the tables themselves, which must be corrected manually.
    func found(_ misfit: SchemaMisfit) throws(Failure) {
        database.misfits += 1
        try output.print(json ? misfit.json(misfit.remedy.text).text : misfit.line(misfit.remedy.text))
    }

    /// The item was compared with its likes.
    func checked(_ item: StoredItem) {
        database.items += 1
        if !types.isNamed(item) { database.unnamed[item.type, default: 0] += 1 }
    }

    /// Reports the types that `item_types` does not name, of all items that were checked. `noted`: those that the
    /// reference service's rows had when they were taken over. They never had a name, so they are no differences.
    func foundUnnamedTypes(noted: Set<Int16>) throws(Failure) {
        database.unnamedDiffering = Set(database.unnamed.keys).subtracting(noted)
        for (number, count) in database.unnamed.sorted(by: { $0.key < $1.key }) {
            let isDifference = database.unnamedDiffering.contains(number)
            // The summary tells people.
            guard isDifference || json && !options.isQuiet else { continue }
            let message =
                "item_types has no name for the number \(number), which is the type of \(Counted.text(count, "item"))"
            let next =
                isDifference
                ? "restore its row, or name it again: INSERT INTO item_types (id, name) VALUES (\(number), 'NAME'); a "
                    + "new type could get the number, and these likes with it"
                : Self.naming(number)
            try output.print(
                json
                    ? JSON.object([
                        ("table", .string("item_types")), ("kind", .string("unnamed-type")),
                        ("number", .integer(Int64(number))), ("items", .integer(count)),
                        ("difference", .bool(isDifference)), ("message", .string(message)),
                        ("sql", .null), ("next", .string(next)),
                    ]).text : "item_types unnamed-type: \(message); next: \(next)")
        }
    }

    private static func naming(_ number: Int16) -> String {
        guard number >= 0 else { return "likesd answers nothing about them" }
        return "to have likesd answer: likesctl migrate --type \(number)=NAME, with NAME in ITEM_TYPES of each host"
    }

    /// People are told at once, and everybody at the end.
    func notCompared(_ reason: String, next: String? = nil) {
        database.trouble = Warning(message: reason, next: next)
        warn(database.trouble)
    }

    /// A counter in Redis that likesd treats as missing.
    func notBelieved(_ key: String, isOfOldGeneration: Bool) throws(Failure) {
        if isOfOldGeneration { redis.oldGeneration += 1 } else { redis.foreign += 1 }
        guard options.isVerbose else { return }
        let key = ForeignText.shown(key)
        let kind = isOfOldGeneration ? "old-generation" : "foreign"
        try output.print(
            json ? JSON.object([("key", .string(key)), ("kind", .string(kind))]).text : "\(key) \(kind)")
    }

    /// People are told at once, and everybody at the end.
    func redisNotChecked(_ reason: String, next: String? = nil) {
        guard redis.trouble == nil else { return }
        redis.trouble = Warning(message: reason, next: next)
        warn(redisUnchecked)
    }

    /// Programs learn at the end whether it made the result incomplete.
    private func warn(_ warning: Warning?) {
        if let warning, !json { output.warn(warning) }
    }

    // MARK: Progress

    /// Before somebody else writes to the terminal.
    func closeLine() { output.closeLine() }

    /// Shows how far it is, at a limited rate. `always`: the last line of a part.
    func progress(_ text: @autoclosure () -> String, always: Bool = false) {
        output.progress({ "\(text()); \(Counted.text(differing, "difference"))" + mendedSoFar }, always: always)
    }

    private var mendedSoFar: String { options.repairs ? ", \(mended) mended" : "" }

    /// How many a second since `startMs`.
    static func rate(_ count: Int64, since startMs: Int64) -> Int64 {
        count * 1_000 / max(1, SystemCalls.nowMs() - startMs)
    }

    // MARK: The end

    /// What was not checked, and the summary, unless only differences are wanted.
    func finish() throws(Failure) {
        output.closeLine()
        if json {
            let lines = status == .incomplete ? [warnings.incompleteness.json] : warnings.map(\.json)
            for line in lines { try output.print(line.text) }
        }
        guard !options.isQuiet else {
            // Otherwise the summary says it.
            warn(undecided)
            return
        }
        try output.print(json ? summaryJSON.text : summaryText)
    }

    private var seconds: String {
        let tenths = (SystemCalls.nowMs() - startedMs + 50) / 100
        return "\(tenths / 10).\(tenths % 10)"
    }

    private var summaryText: String {
        var lines = [
            "PostgreSQL: \(Counted.text(database.items, "item")), \(Counted.text(database.likes, "like")) read in "
                + "\(Counted.text(database.passes, "pass", plural: "passes")): "
                + Counted.text(database.countersDiffering, "difference")
        ]
        if database.isSideBySide {
            lines.append("Side by side with the reference service: what it writes reaches Redis within some 5 s")
        }
        if database.misfits > 0 { lines.append("Tables: \(database.misfits) to correct manually, see above") }
        if !database.unnamedDiffering.isEmpty {
            lines.append("Item types without a name: \(database.unnamedDiffering.count), see above")
        }
        if database.likesTwice > 0 { lines.append("Likes stored more than once: \(database.likesTwice)") }
        if let trouble = database.trouble { lines.append("Not compared: \(trouble.text)") }
        if let undecided { lines.append("Undecided: \(undecided.text)") }
        if let trouble = redis.trouble { lines.append("Redis: not checked: \(trouble.text)") }
        if redis.trouble == nil || redis.compared > 0 {
            lines.append(
                "Redis: \(Counted.text(redis.compared, "counter")): \(Counted.text(redis.differing, "difference"))")
        }
        let others = [
            (redis.oldGeneration, "from an older generation"), (redis.foreign, "without a version from likesd"),
            (redis.awaitingRepair, "waiting for repair by likesd"),
        ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        if !others.isEmpty { lines.append("Not believed by likesd, no differences: \(others.joined(separator: ", "))") }
        let unknown = unnamedTexts
        if !unknown.isEmpty { lines.append("Not known to likesd, no differences: \(unknown.joined(separator: ", "))") }
        lines.append("\(Counted.text(differing, "difference"))\(mending), in \(seconds) s")
        return lines.joined(separator: "\n")
    }

    /// Types of the reference service that never had a name.
    private var unnamedTexts: [String] {
        database.unnamed.sorted { $0.key < $1.key }.filter { !database.unnamedDiffering.contains($0.key) }
            .map { number, count in
                "\(Counted.text(count, "item")) of the type \(number), which has no name (\(Self.naming(number)))"
            }
    }

    /// What was mended, or would be.
    private var mending: String {
        if options.repairs { return ", \(mended) mended" }
        guard differing > database.byHand else { return "" }
        let mendable = differing - database.byHand
        let which = database.byHand > 0 ? "\(mendable) of them" : mendable == 1 ? "it" : "them"
        return ": --repair corrects \(which)" + (isMendable ? "" : " after the tables were corrected manually")
    }

    private var summaryJSON: JSON {
        .object([
            (
                "summary",
                .object([
                    ("items", .integer(database.items)), ("likes_read", .integer(database.likes)),
                    ("passes", .integer(database.passes)),
                    ("side_by_side", .bool(database.isSideBySide)),
                    ("misfits", .integer(database.misfits)), ("likes_twice", .integer(database.likesTwice)),
                    ("unnamed_types", .integer(Int64(database.unnamed.count))),
                    ("trouble", Self.message(database.trouble)), ("next", Self.next(database.trouble)),
                    ("undecided", .integer(database.undecided)),
                    ("differences", .integer(differing)),
                    ("counter_differences", .integer(database.countersDiffering)),
                    ("redis_differences", .integer(redis.differing)), ("mended", .integer(mended)),
                    (
                        "redis",
                        .object([
                            ("checked", .bool(redis.trouble == nil)),
                            ("trouble", Self.message(redis.trouble)), ("next", Self.next(redis.trouble)),
                            ("counters", .integer(redis.compared)), ("old_generation", .integer(redis.oldGeneration)),
                            ("foreign", .integer(redis.foreign)), ("awaiting_repair", .integer(redis.awaitingRepair)),
                        ])
                    ),
                    ("elapsed_ms", .integer(SystemCalls.nowMs() - startedMs)),
                ])
            )
        ])
    }

    private static func message(_ trouble: Warning?) -> JSON { trouble.map { .string($0.message) } ?? .null }
    private static func next(_ trouble: Warning?) -> JSON { trouble?.next.map { .string($0) } ?? .null }
}
