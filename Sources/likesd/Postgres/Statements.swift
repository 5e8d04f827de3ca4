/// The statements likesd prepares on its connections. Their texts stand in `LaneStatements` and `ReaderStatements`.
enum PreparedStatement: String, CaseIterable {
    // On the lane: each is a transaction.
    case fence, commit, tend, retire
    // On the reader.
    case counters, pairs, repairs

    static let ofLane: [PreparedStatement] = [.fence, .commit, .tend, .retire]
    static let ofReader: [PreparedStatement] = [.counters, .pairs, .repairs]

    var text: String {
        switch self {
        case .fence: LaneStatements.fence
        case .commit: LaneStatements.commit
        case .tend: LaneStatements.tend
        case .retire: LaneStatements.retire
        case .counters: ReaderStatements.counters
        case .pairs: ReaderStatements.pairs
        case .repairs: ReaderStatements.repairs
        }
    }
}
