/// Limits on one reply from a server. A reply over a limit is refused: no memory is ever reserved for an announced
/// length.
public struct ReplyLimits: Sendable {
    /// Bytes of a line: an integer, a length, a status, or an error's message.
    public var lineBytesMax: Int
    /// Bytes of one bulk string.
    public var bulkBytesMax: Int
    /// A longer one is read and discarded, up to this length; 0: it is refused.
    public var passedOverBytesMax: Int
    /// Elements of all its arrays together.
    public var elementsMax: Int
    /// Arrays within arrays: 1 for an array of plain values.
    public var depthMax: Int
    /// Bytes of the whole reply.
    public var replyBytesMax: Int

    /// The limits, each in bytes or in numbers as its property says.
    public init(
        lineBytesMax: Int, bulkBytesMax: Int, passedOverBytesMax: Int = 0, elementsMax: Int, depthMax: Int,
        replyBytesMax: Int
    ) {
        self.lineBytesMax = lineBytesMax
        self.bulkBytesMax = bulkBytesMax
        self.passedOverBytesMax = passedOverBytesMax
        self.elementsMax = elementsMax
        self.depthMax = depthMax
        self.replyBytesMax = replyBytesMax
    }

    /// For likesd's own replies: MCOUNT returns 1,000 elements, METRICS and INFO take some KiB, and arrays are nested
    /// at most two deep.
    public static let ofLikesd = ReplyLimits(
        lineBytesMax: 64 * 1024, bulkBytesMax: 16 * 1024 * 1024, elementsMax: 64 * 1024, depthMax: 8,
        replyBytesMax: 16 * 1024 * 1024 + 64 * 1024)
}
