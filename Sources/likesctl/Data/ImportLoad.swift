import LikesProtocol
import LikesctlCommands

/// Loads the rows of the input as they are, and counts those that are no likes.
struct ImportLoad {
    /// Rows that are named before the rest is only counted.
    private static let namedMax: Int64 = 10
    /// To judge all rows that are loaded, which is rare: once PostgreSQL has put some elsewhere than expected.
    private static let judgeMs: Int64 = 24 * 3_600 * 1_000

    let context: ImportContext

    private var database: Database { _read { yield context.database } }
    private var options: DataOptions { context.options }
    private var report: ImportReport { context.report }

    /// Loads all that is left of the input.
    func load(_ input: inout InputRows, _ state: inout ImportState) throws(Failure) {
        report.begin(.loading, done: state.input.rows)
        let statement = ImportStatements.copyRows(columns: input.columns, binary: options.format == .binary)
        while let piece = try input.next() {
            try load(piece.bytes, piece.found, of: input, statement, &state)
            report.progress(state)
        }
        report.progress(state, always: true)
    }

    private func load(
        _ bytes: UnsafeRawBufferPointer, _ found: RowScanner.Found, of input: borrowing InputRows, _ statement: String,
        _ state: inout ImportState
    ) throws(Failure) {
        // The first piece may stand behind a header.
        let linesBefore = input.position.lines - found.lines
        try database.execute("BEGIN")
        let expected = try database.execute(ImportStatements.expectedPlace).first?.first.flatMap { $0 }
        try copy(bytes, found, of: input, statement, linesBefore)
        let (left, place) = try judge(found.rows, behind: expected ?? ImportStatements.firstPlace)
        if left.count > 0 { try name(place, bytes, of: input, linesBefore, alreadyNamed: state.left.count) }
        state.input = input.position
        state.left = state.left + left
        try database.execute(
            ImportStatements.noteLoaded,
            [
                state.input.bytes, state.input.digest.stored, state.input.lines, state.input.rows, left.user, left.item,
                left.type,
            ].map { String($0) })
        try database.execute("COMMIT")
    }

    /// What is wrong with the rows of the piece, and behind which place all of them are.
    private func judge(_ rows: Int64, behind expected: String) throws(Failure) -> (RowsLeftOut, place: String) {
        for (place, timeoutMs) in [
            (expected, Database.statementTimeoutMs), (ImportStatements.firstPlace, Self.judgeMs),
        ] {
            try database.execute("SET LOCAL statement_timeout = \(timeoutMs)")
            let judged = try database.numbers(ImportStatements.judge, [place], timeoutMs: timeoutMs)
            guard judged.number(0, 3) == rows else { continue }
            let left = RowsLeftOut(
                user: judged.number(0, 0) ?? 0, item: judged.number(0, 1) ?? 0, type: judged.number(0, 2) ?? 0)
            return (left, place)
        }
        throw Failure(
            .refused, "PostgreSQL does not find the \(Counted.text(rows, "row")) that it has just loaded",
            next: "begin again: likesctl import --abandon")
    }

    private func copy(
        _ bytes: UnsafeRawBufferPointer, _ found: RowScanner.Found, of input: borrowing InputRows, _ statement: String,
        _ linesBefore: Int64
    ) throws(Failure) {
        let rows: Int64
        do throws(CopyTrouble) {
            rows = try database.copy(
                bytes, framed: options.format == .binary ? InputRows.binaryFrame : nil, into: statement)
        } catch {
            switch error {
            case .failure(let failure): throw failure
            case .row(let line, let message):
                let place =
                    line.map { input.place(of: linesBefore + $0 + linesNotCounted(in: bytes)) }
                    ?? "one of the rows from \(input.place(of: linesBefore + 1)) on"
                throw Failure(.refused, "\(place): \(message)", next: input.whenWrong)
            }
        }
        // PostgreSQL ends its reading at a line `\.`, and may take other characters for the end of a line.
        guard rows == found.rows else {
            throw Failure(
                .refused,
                "PostgreSQL found \(Counted.text(rows, "row")) where there are \(found.rows), from "
                    + "\(input.place(of: linesBefore + 1)) to line \(linesBefore + found.lines)",
                next: "end lines with LF or CRLF, and remove a line that is only a backslash and a point")
        }
    }

    /// Tells of the first rows that are no likes.
    private func name(
        _ place: String, _ bytes: UnsafeRawBufferPointer, of input: borrowing InputRows, _ linesBefore: Int64,
        alreadyNamed: Int64
    ) throws(Failure) {
        let count = options.isStrict ? 1 : Self.namedMax - alreadyNamed
        guard count > 0 else { return }
        for row in try database.execute(ImportStatements.nameBad, [place, String(count)]) {
            guard row.count == 5, let number = row[0].flatMap({ Int64($0) }) else { continue }
            let reason = row[3] == "t" ? "no valid user" : row[4] == "t" ? "no valid item" : "no such type"
            let (user, item) = (row[1] ?? "no user", row[2].map { ForeignText.shown($0) } ?? "no item")
            let text =
                "\(spot(of: number, saying: row[1], row[2], in: bytes, input, linesBefore)): \(reason): "
                + "\(user), \(item)"
            guard !options.isStrict else { throw Failure(.refused, text, next: input.whenWrong) }
            report.leftOut(text)
        }
    }

    /// Where a row of the piece is. `number`: as PostgreSQL has put them. It may have put them in another order, so the
    /// place is only told if that row says the same.
    private func spot(
        of number: Int64, saying user: String?, _ item: String?, in bytes: UnsafeRawBufferPointer,
        _ input: borrowing InputRows, _ linesBefore: Int64
    ) -> String {
        let before = input.beginning(of: bytes, rows: number - 1)
        let row = UnsafeRawBufferPointer(
            rebasing: bytes[before.end..<input.beginning(of: bytes, rows: number).end])
        guard input.says(user ?? "", item ?? "", row) else {
            return "one of the rows from \(input.place(of: linesBefore + 1)) on"
        }
        return input.place(of: linesBefore + before.lines + 1)
    }

    /// PostgreSQL counts line breaks within quotes, but not those of the first row: it does not know yet what ends a
    /// line.
    private func linesNotCounted(in bytes: UnsafeRawBufferPointer) -> Int64 {
        guard options.format == .csv else { return 0 }
        return max(0, RowScanner.scanText(bytes, rowsMax: 1).lines - 1)
    }
}
