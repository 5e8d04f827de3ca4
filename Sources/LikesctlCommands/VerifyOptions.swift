/// What `likesctl verify` is asked to do, beyond where.
package struct VerifyOptions: Equatable, Sendable {
    /// How much is looked at.
    package enum Extent: Equatable, Sendable {
        case whole
        /// So many items, 1 or more, drawn at random.
        case items(Int)
        /// That part of the items, above 0 and at most 100.
        case percent(Double)
    }

    /// Items of a sample: they are held in memory, and sent with each statement when they are few.
    package static let sampleMax = 1_000_000

    package var extent = Extent.whole
    package var repairs = false
    package var isQuiet = false
    package var isVerbose = false
    /// Progress where the terminal would not show it by itself.
    package var showsProgress = false
    /// Names of item types; empty: all.
    package var types: [String] = []
    /// Rows that one statement reads of a table, about.
    package var sliceRows = 20_000
    /// Items that are held in memory: each pass over the likes counts so many.
    package var itemsPerPass = 1_000_000
    /// How long one statement may read all likes for items that never stand still.
    package var snapshotSeconds: Int64 = 60

    package init() {}

    /// The value of `--sample`.
    static func extent(_ value: String) throws(Failure) -> Extent {
        guard value.hasSuffix("%") else {
            return .items(Int(try OptionValue.whole("--sample", value, 1...Int64(sampleMax))))
        }
        guard let percent = OptionValue.decimal(value.dropLast()), percent > 0, percent <= 100 else {
            throw Failure(.usage, "--sample: '\(value)' is not a share: more than 0% and at most 100%, as in 0.5%")
        }
        return .percent(percent)
    }
}
