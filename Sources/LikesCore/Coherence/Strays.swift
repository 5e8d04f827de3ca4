import LikesStorage

/// Transactions whose batches were meant for another Redis than the one with the data that is in use: the other one may
/// have taken them while this one was given older counts.
struct Strays {
    /// For which nothing was done yet, with `DatabaseSnapshot.next` of the survey that found them.
    private var found: [Int64: Int64] = [:]
    /// For which this host has had the data thrown away, with the same. They are found again if so many were running
    /// that the marker's snapshot does not show that they had ended.
    private var settled: [Int64: Int64] = [:]

    var isEmpty: Bool { found.isEmpty }

    /// Takes in what a survey found. The present generation already has what had ended when it was made: a host made it
    /// because of these transactions. It does not have what was settled if it was made before that was found.
    mutating func note(_ found: [Int64], by survey: DatabaseSnapshot, _ generation: Generation) {
        settled = settled.filter { !generation.snapshot.hasEnded($0.key) }
        for transaction in found where self.found[transaction] == nil { self.found[transaction] = survey.next }
        self.found = self.found.filter { transaction, _ in
            !generation.snapshot.hasEnded(transaction)
                && settled[transaction].map { generation.snapshot.next < $0 } ?? true
        }
    }

    mutating func settle() {
        settled.merge(found) { $1 }
        found = [:]
    }

    mutating func forget() { self = Strays() }

    func checkInvariants() {
        precondition(
            found.allSatisfy { transaction, next in settled[transaction].map { $0 <= next } ?? true },
            "what is settled was found before")
    }
}
