/// What `import`, `export`, `forget` and `remove` are to do, apart from where.
package struct DataOptions: Equatable, Sendable {
    /// The form of the rows of `import` and `export`, as COPY names it.
    package enum Format: String, CaseIterable, Sendable {
        case csv, binary
    }

    package var format = Format.csv
    /// import: end at the first row that is no like.
    package var isStrict = false
    /// import: give up the import that was begun.
    package var abandons = false
    /// import: go on without the input, which was read whole.
    package var resumes = false
    /// export: the likes of this user alone.
    package var user: Int64?
    /// export: the likes of this item alone.
    package var item: String?
    /// forget, remove: only count.
    package var isDryRun = false
    /// remove: read all likes in place of the index.
    package var scans = false
    /// Shows progress even if standard error is not a terminal.
    package var showsProgress = false

    package init() {}
}
