import LikesctlCommands

/// Sorts what was loaded into the order in which it is added, each like once.
struct ImportSort {
    /// It may take hours, and locks nothing that anyone waits for.
    private static let sortMs: Int64 = 7 * 24 * 3_600 * 1_000
    /// What the sort may hold before it goes to disk.
    private static let memory = "256MB"

    let context: ImportContext

    private var database: Database { _read { yield context.database } }
    private var report: ImportReport { context.report }

    func sort(_ state: inout ImportState) throws(Failure) {
        report.begin(.sorting)
        report.progress(state, always: true)
        try database.execute("SET work_mem = '\(Self.memory)'")
        try database.execute("SET statement_timeout = 0")
        try database.execute("BEGIN")
        let rows = state.input.rows
        let byUser = try database.execute(ImportStatements.isLargerThanMemory, [String(rows)]).first?.first == "t"
        let sorted = try database.numbers(
            ImportStatements.sort(rows: rows, hasBadRows: state.left.count > 0, byUser: byUser), timeoutMs: Self.sortMs)
        try database.execute(ImportStatements.noteSorted, [String(sorted.affectedRows)])
        // It takes as much room as the sorted rows.
        try database.execute(ImportStatements.dropTable(ImportStatements.rowsTable))
        try database.execute("COMMIT")
        state.isSorted = true
        state.likes = sorted.affectedRows
    }
}
