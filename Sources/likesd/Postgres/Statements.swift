import LikesCore
import LikesStorage

/// The statements that likesd prepares on its connections. Their texts are in `LaneStatements` and `ReaderStatements`.
enum PreparedStatement: String, CaseIterable {
    // On the lane: each is a transaction.
    case fence, commit, tend, survey, misfits
    // On the reader.
    case counters, pairs, likes, likers, repairs, position
    // On standbys, and `counters`.
    case replayed

    static let ofLane: [PreparedStatement] = [.fence, .commit, .tend, .survey, .misfits]
    static let ofStandby: [PreparedStatement] = [.replayed, .counters]

    /// The primary's position matters to standbys alone.
    static func ofReader(standbys: Int) -> [PreparedStatement] {
        [.counters, .pairs, .likes, .likers, .repairs] + (standbys > 0 ? [.position] : [])
    }

    var text: String {
        switch self {
        case .fence: LaneStatements.fence
        case .commit: LaneStatements.commit
        case .tend: LaneStatements.tend
        case .survey: LaneStatements.survey
        case .misfits: Schema.selectMisfits
        case .counters: ReaderStatements.counters
        case .pairs: ReaderStatements.pairs
        case .likes: ReaderStatements.likes
        case .likers: ReaderStatements.likers
        case .repairs: ReaderStatements.repairs
        case .position: ReaderStatements.position
        case .replayed: ReaderStatements.replayed
        }
    }

    /// The types of its columns, which the code that reads them relies on.
    var columns: [ColumnType] {
        switch self {
        case .fence: [.bigint, .bigint, .text]
        case .commit: [.bigint, .bigint, .smallint, .bigint, .text]
        case .tend: [.bigint, .bigint]
        case .survey:
            [.bigint] + PostgresIdentity.columnTypes + [
                .text, .bigint, .text, .bigint, .text, .text, .bigint,
            ]
        case .misfits: Array(repeating: .text, count: SchemaMisfit.columnsCount)
        case .counters: [.bigint, .bigint, .bigint]
        case .pairs: [.bigint, .boolean, .bigint, .bigint]
        case .likes: [.bigint, .smallint, .bigint]
        case .likers: [.bigint, .boolean, .bigint]
        case .position: [.bigint, .bigint]
        case .replayed: [.bigint, .bigint, .bigint]
        case .repairs: [.smallint, .bigint, .bigint, .bigint, .bigint, .boolean]
        }
    }
}

/// PostgreSQL's column types, by the numbers that they have in every database.
enum ColumnType: UInt32 {
    case boolean = 16
    case bigint = 20
    case smallint = 21
    case text = 25
}
