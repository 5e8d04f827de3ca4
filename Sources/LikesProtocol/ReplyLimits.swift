/// What one reply of a server may hold. Over a limit it is none: nothing is ever kept for what is only announced.
public struct ReplyLimits: Sendable {
    /// Bytes of a line: an integer, a length, a status, or an error's message.
    public var lineBytesMax: Int
    /// Bytes of one bulk string.
    public var bulkBytesMax: Int
    /// A longer one is read and not kept, up to this length; 0: it is refused.
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

    /// Of likesd's own replies: MCOUNT answers 1,000 elements, METRICS and INFO take some KiB, and nothing has more
    /// than two arrays within each other.
    public static let ofLikesd = ReplyLimits(
        lineBytesMax: 64 * 1024, bulkBytesMax: 16 * 1024 * 1024, elementsMax: 64 * 1024, depthMax: 8,
        replyBytesMax: 16 * 1024 * 1024 + 64 * 1024)
}
