/// A batch as it was sent.
struct SentBatch {
    var batch: Batch
    /// The changes in it, in the order in which they were taken.
    var changes: [ChangeIndex]
    var request: CommitRequest
    /// Given when the batch was sent.
    var permit: WritePermit
    /// The batch is a part of one that was taken apart because a row was refused.
    var isSuspect: Bool
}
