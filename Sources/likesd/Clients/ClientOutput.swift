import CLinux
import Glibc
import LikesProtocol

/// Replies to a client on their way out.
struct ClientOutput {
    private var encoder: ReplyEncoder
    /// Encoded replies; those before `start` have been written.
    private var bytes: [UInt8]
    private var start = 0
    /// Too many replies wait. No further request is parsed until they have left.
    var isFull = false
    /// The socket did not take everything there was to write.
    private(set) var isBlocked = false

    /// `unwritten`: replies that an earlier process left.
    init(version: ProtocolVersion, unwritten: [UInt8]) {
        encoder = ReplyEncoder(version: version)
        bytes = unwritten
    }

    var count: Int { bytes.count - start }
    var capacity: Int { bytes.capacity }
    /// Replies that the socket did not take yet.
    var unwritten: ArraySlice<UInt8> { bytes[start...] }
    /// The bytes it holds. A buffer of the size that is reused counts only when the socket does not take its contents.
    var weight: Int {
        let kernel = isBlocked ? Int(EdgeLimits.socketBufferBytes) : 0
        let isSpare = !isBlocked && bytes.capacity <= EdgeLimits.spareBufferBytesMax
        return (isSpare ? 0 : bytes.capacity) + kernel
    }

    mutating func append(_ reply: Reply, spare: inout SpareBuffers) {
        if bytes.isEmpty { bytes = spare.take() }
        encoder.append(reply, to: &bytes)
    }

    /// Replies that are encoded already.
    mutating func append(_ replies: UnsafeRawBufferPointer, spare: inout SpareBuffers) {
        if bytes.isEmpty { bytes = spare.take() }
        bytes.append(contentsOf: replies)
    }

    enum WriteResult {
        case drained, failed
        /// The socket is full. `hasMoved`: it took a part of the replies.
        case blocked(hasMoved: Bool)
    }

    /// Writes once.
    mutating func write(to descriptor: Int32, spare: inout SpareBuffers) -> WriteResult {
        guard count > 0 else {
            isBlocked = false
            return .drained
        }
        let written = bytes.withUnsafeBytes { bytes in
            send(
                descriptor, bytes.baseAddress.map { $0 + start }, bytes.count - start,
                Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        }
        guard written >= 0 else {
            guard errno == EAGAIN || errno == EINTR else { return .failed }
            isBlocked = true
            return .blocked(hasMoved: false)
        }
        start += written
        isBlocked = count > 0
        guard count == 0 else {
            // Written replies must not pile up before those that a slow reader still has to take, nor keep their
            // memory.
            if start > EdgeLimits.outputPausedBytes
                || (bytes.capacity > EdgeLimits.spareBufferBytesMax && bytes.capacity > 4 * count)
            {
                bytes = Array(unwritten)
                start = 0
            }
            return .blocked(hasMoved: written > 0)
        }
        start = 0
        spare.give(&bytes)
        return .drained
    }
}

/// Empty output buffers, kept for reuse: idle clients hold none.
struct SpareBuffers {
    private var buffers: [[UInt8]] = []

    mutating func take() -> [UInt8] { buffers.popLast() ?? [] }

    /// Takes the buffer over and leaves an empty one without storage.
    mutating func give(_ buffer: inout [UInt8]) {
        var taken: [UInt8] = []
        swap(&taken, &buffer)
        guard buffers.count < EdgeLimits.spareBuffersMax, taken.capacity <= EdgeLimits.spareBufferBytesMax else {
            return
        }
        taken.removeAll(keepingCapacity: true)
        buffers.append(taken)
    }
}
