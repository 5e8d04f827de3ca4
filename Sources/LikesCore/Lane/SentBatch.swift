import LikesProtocol
import LikesSettings
import LikesStorage
/// A batch as it was sent.
struct SentBatch {
    var batch: Batch
    /// The changes in it, as they were taken.
    var changes: [ChangeIndex]
    var request: CommitRequest
    /// Given when it was sent.
    var permit: WritePermit
    /// Something in its rows was refused before: it is a part of a batch that was taken apart to find out what.
    var isSuspect: Bool
}
