/// Memory that all clients share, one at a time.
struct ClientBuffers: ~Copyable {
    /// What was read from a socket last.
    let read = UnsafeMutableRawBufferPointer.allocate(byteCount: EdgeLimits.readBytes, alignment: 16)
    /// Replies with cached counts before they go to their client.
    let countReplies = UnsafeMutableRawBufferPointer.allocate(
        byteCount: EdgeLimits.countRepliesBytes, alignment: 16)
    var spare = SpareBuffers()

    deinit {
        read.deallocate()
        countReplies.deallocate()
    }
}
