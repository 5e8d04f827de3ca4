import CLinux
import CSystemd
import Glibc
import LikesCore
import LikesProtocol

/// One client's socket, and the bytes on their way in and out of it.
final class ClientConnection {
    let id: ConnectionID
    let descriptor: Int32
    var parser: RequestParser
    private var encoder: ReplyEncoder

    /// Bytes read and not yet parsed; empty, without storage, most of the time.
    var input: [UInt8] = []
    /// Encoded replies; those before `outputStart` have been written.
    private var output: [UInt8] = []
    private var outputStart = 0
    /// What the core was told that is held here, in bytes.
    var weighed = 0
    /// When the first byte of a request that is not whole came, or was looked at; nil: there is none.
    var begunAt: Instant?
    /// What serving it has cost.
    var account: FairQueue.Account
    /// To be added to what its service cost.
    var surcharge = 0
    /// Waits for its turn; nothing is read until then.
    var isQueued = false
    /// Parsing stopped because it had cost enough: there may be more requests in `input`.
    var isCutShort = false

    /// Requests given to the core less replies had from it.
    var unanswered = 0
    /// Stands in the list of those to be written to at the end of the turn.
    var isDirty = false
    /// The client said that it sends no more.
    var hasEnded = false
    /// The core takes no further request now; it will say `.resume`.
    var isBlocked = false
    /// Too much output waits; no further request is parsed until it has left.
    var isOutputFull = false
    /// The framing broke; nothing more is parsed.
    var isBroken = false
    /// Close once the output has left.
    var isClosing = false
    /// The error of a broken framing was sent; what still comes is thrown away.
    var isLingering = false
    /// The socket took less than there was to write.
    var isWriteBlocked = false
    /// The events epoll waits for now.
    var watched: UInt32 = 0

    /// `version`, `unwritten`: of a client that the process before had.
    init(
        id: ConnectionID, descriptor: Int32, account: FairQueue.Account, types: ItemTypes,
        version: ProtocolVersion = .resp2, unwritten: [UInt8] = []
    ) {
        self.id = id
        self.account = account
        self.descriptor = descriptor
        parser = RequestParser(types: types)
        encoder = ReplyEncoder(version: version)
        output = unwritten
    }

    var outputCount: Int { output.count - outputStart }
    var outputCapacity: Int { output.capacity }
    /// What it holds here. An output buffer of the size that is used again and again counts only once the socket does
    /// not take what is in it.
    var weight: Int {
        let kernel = isWriteBlocked ? Int(EdgeLimits.socketBufferBytes) : 0
        let isSpare = !isWriteBlocked && output.capacity <= EdgeLimits.spareBufferBytesMax
        return input.capacity + (isSpare ? 0 : output.capacity) + kernel
    }
    /// Replies that the socket did not take yet.
    var unwritten: ArraySlice<UInt8> { output[outputStart...] }
    /// Between two requests, with a connection that goes on.
    var isWhole: Bool { unanswered == 0 && !isBroken && !isClosing && !isLingering }

    /// Whether the next request may be parsed as far as the edge is concerned.
    var mayParse: Bool { !isBlocked && !isOutputFull && !isBroken && !isClosing }

    /// The events to wait for. Without reading, epoll still tells of errors.
    var wanted: UInt32 {
        var events: UInt32 = 0
        // One that waits may have gone: that is told once, not in each turn until it is served.
        if isQueued { events |= EPOLLET.rawValue }
        if !hasEnded && !isQueued && (mayParse || isLingering) { events |= EPOLLIN.rawValue }
        if isWriteBlocked { events |= EPOLLOUT.rawValue }
        return events
    }

    /// Everything the client asked for has been answered and nothing more will come.
    var isDone: Bool { hasEnded && input.isEmpty && unanswered == 0 && outputCount == 0 }

    func append(_ reply: Reply, spare: inout SpareBuffers) {
        if output.isEmpty { output = spare.take() }
        encoder.append(reply, to: &output)
        unanswered -= 1
    }

    /// Encoded replies to requests that the core was not given.
    func append(_ replies: UnsafeRawBufferPointer, spare: inout SpareBuffers) {
        if output.isEmpty { output = spare.take() }
        output.append(contentsOf: replies)
    }

    enum WriteResult {
        case drained, failed
        /// The socket is full. `hasMoved`: it took some of what there was.
        case blocked(hasMoved: Bool)
    }

    /// Writes once.
    func write(spare: inout SpareBuffers) -> WriteResult {
        guard outputCount > 0 else { return .drained }
        let written = output.withUnsafeBytes { bytes in
            send(
                descriptor, bytes.baseAddress.map { $0 + outputStart }, bytes.count - outputStart,
                Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        }
        guard written >= 0 else { return errno == EAGAIN || errno == EINTR ? .blocked(hasMoved: false) : .failed }
        outputStart += written
        guard outputCount == 0 else {
            // What has gone out must not pile up in front of what a slow reader has still to take, nor keep its memory.
            if outputStart > EdgeLimits.outputPausedBytes
                || (output.capacity > EdgeLimits.spareBufferBytesMax && output.capacity > 4 * outputCount)
            {
                output = Array(unwritten)
                outputStart = 0
            }
            return .blocked(hasMoved: written > 0)
        }
        outputStart = 0
        spare.give(&output)
        return .drained
    }
}

/// Output buffers that are empty now, to be filled again: idle clients hold none.
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
