import LikesStorage

/// Transactions whose batches were meant for another Redis than the one with the data that is in use: the other one may
/// have taken them while this one was given older counts.
struct Strays {
    /// For which nothing was done yet.
    private var found: Set<Int64> = []
    /// For which this host has had the data thrown away. They are found again if so many were running that the marker's
    /// snapshot does not show that they had ended.
    private var settled: Set<Int64> = []

    var isEmpty: Bool { found.isEmpty }

    /// Takes in what a survey found. The present generation already has what had ended when it was made: a host made it
    /// because of these transactions.
    mutating func note(_ found: [Int64], _ generation: Generation) {
        settled = settled.filter { !generation.snapshot.hasEnded($0) }
        self.found = self.found.union(found).filter { !generation.snapshot.hasEnded($0) && !settled.contains($0) }
    }

    mutating func settle() {
        settled.formUnion(found)
        found = []
    }

    mutating func forget() { self = Strays() }

    func checkInvariants() {
        precondition(settled.isDisjoint(with: found), "data is thrown away again for what was settled")
    }
}
