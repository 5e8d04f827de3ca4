/// Lane numbers: 63 bits. A process takes many, and the upper 47 bits stay the same: so other hosts know it again.
enum LaneNumber {
    private static let countBits = 16

    /// No two processes share one.
    static func first(_ random: inout Random) -> Int64 { Int64(random.next() >> 1) }

    /// The next of the same process, which it never had before; another process' once they have run out.
    static func next(after lane: Int64, _ random: inout Random) -> Int64 {
        process(of: lane) == process(of: lane &+ 1) ? lane + 1 : first(&random)
    }

    /// What all lane numbers of a process have in common.
    static func process(of lane: Int64) -> Int64 { lane >> countBits }
}
