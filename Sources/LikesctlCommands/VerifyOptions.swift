/// What `likesctl verify` is to do, apart from where.
package struct VerifyOptions: Equatable, Sendable {
    /// How much is checked.
    package enum Extent: Equatable, Sendable {
        case whole
        /// This many items, 1 or more, drawn at random.
        case items(Int)
        /// This share of the items, above 0 and at most 100.
        case percent(Double)
    }

    /// Items of a sample: they are held in memory, and a small sample is sent with each statement.
    package static let sampleMax = 1_000_000

    package var extent = Extent.whole
    package var repairs = false
    package var isQuiet = false
    package var isVerbose = false
    /// Shows progress even if standard error is not a terminal.
    package var showsProgress = false
    /// Names of item types; empty: all.
    package var types: [String] = []
    /// Roughly how many rows of a table one statement reads.
    package var sliceRows = 20_000
    /// Items held in memory: each pass over the likes counts this many.
    package var itemsPerPass = 1_000_000
    /// How long one statement may read all likes for items that change all the time.
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
