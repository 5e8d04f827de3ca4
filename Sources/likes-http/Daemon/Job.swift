import LikesHTTP

/// An HTTP request that likesd is asked about.
final class Job {
    var exchange: Exchange
    /// Who waits for the response; nil: gone, or it has the response.
    var client: Client?
    /// Until when likesd may answer.
    let deadlineMs: Int64
    /// It is in the queue of those that found no room.
    var isWaiting = false

    init(_ exchange: Exchange, for client: Client, deadlineMs: Int64) {
        self.exchange = exchange
        self.client = client
        self.deadlineMs = deadlineMs
    }
}
