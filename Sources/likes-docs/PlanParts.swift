import LikesctlCommands

/// The parts of docs/scaling.md: the figures that `likesctl plan` calculates with, and its worked examples.
func planParts() -> [GeneratedPart] {
    let document = "docs/scaling.md"
    let figures = [
        GeneratedPart(path: document, name: "figures", lines: PlanDocuments.figures),
        GeneratedPart(path: document, name: "likes by rate", lines: PlanDocuments.likes),
    ]
    return figures
        + PlanExample.all.map { GeneratedPart(path: document, name: $0.name, lines: PlanDocuments.example($0)) }
}

enum PlanDocuments {
    static var figures: [String] {
        ["| | figure | measured |", "|---|---|---|"]
            + PlanFigures.all.map { "| \($0.meaning) | \($0.text) | \($0.source) |" }
    }

    static var likes: [String] {
        let rows: [(String, (LikeCost) -> Double)] = [
            ("likes a second on one host", { $0.likesPerSecond }), ("batches a second", { $0.batchesPerSecond }),
            ("likesd, CPU of a like, µs", { $0.likesd }), ("Redis, CPU of a like, µs", { $0.redis }),
            ("PostgreSQL, CPU of a like, µs", { $0.postgres }),
        ]
        let table = rows.map { row in
            "| \(row.0) | " + LikeCost.measured.map { PlanFigure.wholeText(row.1($0)) }.joined(separator: " | ") + " |"
        }
        return [table[0], "|---" + String(repeating: "|---", count: LikeCost.measured.count) + "|"] + table.dropFirst()
    }

    /// The command and what it prints, as an indented block.
    static func example(_ example: PlanExample) -> [String] {
        let printed = example.printed.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let lines = ["$ \(example.command)", ""] + printed.reversed().drop { $0.isEmpty }.reversed()
        return [""] + lines.map { $0.isEmpty ? "" : "    " + $0 } + [""]
    }
}
