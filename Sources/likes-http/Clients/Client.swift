import LikesHTTP

/// One client's connection, and the request that it has under way.
final class Client {
    enum Phase {
        /// No request has begun.
        case idle
        /// A request has begun, and is not here yet.
        case receiving
        /// It is here, and likesd is asked.
        case asked
        /// The response is on its way.
        case answering
    }

    /// A request whose headers are here.
    struct Request {
        var message: HTTPRequest
        /// Bytes of the body that were dropped.
        var dropped: UInt64 = 0
        /// What it gets once its body has been read, whatever that is.
        var refusal: Refusal?
    }

    let descriptor: Int32
    /// The library's name for the connection.
    var handle: OpaquePointer?
    var phase = Phase.idle
    /// When the present phase has taken too long.
    var deadlineMs: Int64
    /// Path and query, once the first line is here.
    var target = ""
    var request: Request?
    var job: Job?
    /// Ready to be sent.
    var response: HTTPResponse?
    /// Bytes of the response on its way.
    var responseBytes = 0
    /// It was answered before all of the request was read, so the client may still be sending.
    var isAnsweredEarly = false

    /// It sent more than anybody reads, and is reset: it would wait for room for ever.
    var isReset = false

    init(_ descriptor: Int32, deadlineMs: Int64) {
        self.descriptor = descriptor
        self.deadlineMs = deadlineMs
    }

    /// The response has left, or the connection has ended.
    func endRequest(deadlineMs: Int64) {
        phase = .idle
        self.deadlineMs = deadlineMs
        target = ""
        request = nil
        job?.client = nil
        job = nil
        response = nil
        responseBytes = 0
    }
}
