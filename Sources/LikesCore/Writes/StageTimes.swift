/// When a change came through each stage, in microseconds since it was accepted.
struct StageTimes {
    /// The stages of a change, in order. METRICS and SLOWLOG list them under these names.
    enum Stage: Int, CaseIterable {
        /// Until it is admitted: behind earlier requests of its connection, and counted towards its user's rate.
        case admission
        /// Until it is sent to PostgreSQL in a batch. The batch before it is stored meanwhile, or its hint confirmed.
        case queue
        /// Until PostgreSQL has stored it.
        case commit
        /// Until its reply: its counter is put into Redis.
        case writeThrough

        var name: String {
            switch self {
            case .admission: "admission"
            case .queue: "queue"
            case .commit: "commit"
            case .writeThrough: "write_through"
            }
        }
    }

    private static let never = UInt32.max
    /// When admission, queue and commit ended.
    private var ends: (UInt32, UInt32, UInt32) = (never, never, never)

    /// A stage that is passed again, because PostgreSQL rolled the batch back, ends later.
    mutating func end(_ stage: Stage, afterMicroseconds microseconds: Int64) {
        let end = UInt32(clamping: min(max(0, microseconds), Int64(Self.never) - 1))
        switch stage {
        case .admission: ends.0 = end
        case .queue: ends.1 = end
        case .commit: ends.2 = end
        case .writeThrough: return
        }
    }

    /// How long the change has been in the stage, which it has come to and not left.
    func microseconds(since stage: Stage, _ now: Int64) -> Int64 {
        let begin =
            switch stage {
            case .admission: UInt32(0)
            case .queue: ends.0
            case .commit: ends.1
            case .writeThrough: ends.2
            }
        return max(0, now - Int64(begin))
    }

    /// How long the change, which is done after so many microseconds, was in the stage; nil: it was not, or did not
    /// leave it.
    func microseconds(in stage: Stage, doneAfter: Int64) -> Int64? {
        let (begin, end) =
            switch stage {
            case .admission: (UInt32(0), ends.0)
            case .queue: (ends.0, ends.1)
            case .commit: (ends.1, ends.2)
            case .writeThrough: (ends.2, UInt32(clamping: doneAfter))
            }
        return begin == Self.never || end == Self.never ? nil : max(0, Int64(end) - Int64(begin))
    }
}
