import Glibc
import LikesProtocol

/// One connection to likesd that carries many requests at once. It waits for nothing: the caller's loop calls it when
/// the socket can be read or written.
///
/// Replies come in the order of the requests. When the connection ends, `end` says of each request that has no reply
/// whether likesd can have seen it.
public final class PipelinedClient {
    /// The bounds on what is under way.
    public struct Limits: Sendable {
        /// Requests without a reply.
        public var requestsMax: Int
        /// Bytes of requests that the socket has not taken.
        public var unsentBytesMax: Int

        /// Both bounds, as their properties say.
        public init(requestsMax: Int, unsentBytesMax: Int) {
            self.requestsMax = requestsMax
            self.unsentBytesMax = unsentBytesMax
        }

        /// likesd reads no more from a connection with 1,024 requests under way, and buffers some 256 KiB.
        public static let ofLikesd = Limits(requestsMax: 1_024, unsentBytesMax: 1024 * 1024)
    }

    /// What became of a request that has no reply.
    public enum Fate: Equatable, Sendable {
        /// Its last byte never left: likesd cannot have executed it.
        case neverSent
        /// All of it left: likesd may have executed it.
        case maybeExecuted
    }

    /// A request under way: the number that `send` gave it, and where its last byte stands in all that was sent.
    private struct Request {
        var number: UInt64
        var end: UInt64
    }

    /// Bytes read at a time.
    private static let readBytes = 64 * 1024
    /// Requests and bytes that are done with are dropped once there are so many.
    private static let droppedMin = 1_024

    /// The socket, for the caller's loop. It stays this client's.
    public let descriptor: Int32
    private let limits: Limits
    private var reader = ReplyReader(limits: .ofLikesd)
    private var under: [Request] = []
    /// The first of them without a reply.
    private var first = 0
    private var output: [UInt8] = []
    /// How many of these bytes the socket has taken.
    private var written = 0
    /// Bytes taken by the socket in all.
    private var sentTotal: UInt64 = 0
    private var sentNumber: UInt64 = 0
    private var input = [UInt8](repeating: 0, count: PipelinedClient.readBytes)

    /// Takes over a connected socket that never waits (`UnixSocket.connectedAtOnce`), and closes it in the end.
    public init(descriptor: Int32, limits: Limits = .ofLikesd) {
        self.descriptor = descriptor
        self.limits = limits
    }

    deinit { close(descriptor) }

    /// Requests without a reply.
    public var requestCount: Int { under.count - first }

    /// The number of the oldest request without a reply; nil: there is none.
    public var oldest: UInt64? { first < under.count ? under[first].number : nil }

    /// Whether there is something to write: the loop has to call `flush` when the socket can be written.
    public var wantsToWrite: Bool { written < output.count }

    /// Queues a request, and returns its number: each is greater than the one before. nil: there is no room; repeat it
    /// after a reply, or on another connection. Nothing is written before `flush`.
    public func send(_ request: RequestBytes) -> UInt64? {
        guard requestCount < limits.requestsMax else { return nil }
        // A request of any size goes into an empty queue.
        let unsent = output.count - written
        guard unsent == 0 || unsent + request.bytes.count <= limits.unsentBytesMax else { return nil }
        if written == output.count {
            output.removeAll(keepingCapacity: true)
            written = 0
        }
        output.append(contentsOf: request.bytes)
        sentNumber += 1
        under.append(Request(number: sentNumber, end: sentTotal + UInt64(output.count - written)))
        return sentNumber
    }

    /// Writes as much as the socket takes now.
    /// - Throws: `closed` or `failed`. Replies that came before may still be read: call `receive` before `end`.
    public func flush() throws(SocketError) {
        while written < output.count {
            let count = output.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress?.advanced(by: written), $0.count - written, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                written += count
                sentTotal += UInt64(count)
            } else if errno == EAGAIN {
                break
            } else if errno == EPIPE || errno == ECONNRESET {
                throw .closed
            } else if errno != EINTR {
                throw .failed(errno)
            }
        }
        if written > Self.readBytes {
            output.removeFirst(written)
            written = 0
        }
    }

    /// Reads what has come, once, and gives each reply with the number of its request to `body`. Returns whether more
    /// may be there.
    /// - Throws: `closed`, `failed` or `notUnderstood`; the replies before it were given.
    public func receive(_ body: (UInt64, ReplyView) -> Void) throws(SocketError) -> Bool {
        let count = recv(descriptor, &input, input.count, 0)
        guard count > 0 else {
            if count == 0 { throw .closed }
            switch errno {
            case EAGAIN: return false
            case EINTR: return true
            case ECONNRESET: throw .closed
            default: throw .failed(errno)
            }
        }
        reader.append(input[..<count])
        do {
            while let reply = try reader.next() {
                // A greeting that nobody asked for, such as `-BUSY` on a full likesd: it closes the connection next.
                guard first < under.count else { continue }
                let number = under[first].number
                first += 1
                body(number, reply)
            }
        } catch {
            throw .notUnderstood(error)
        }
        dropAnswered()
        return count == input.count
    }

    /// The end of the connection: what became of each request without a reply, in order. Close it by dropping this.
    public func end() -> [(number: UInt64, fate: Fate)] {
        let fates = under[first...].map { request in
            (number: request.number, fate: request.end <= sentTotal ? Fate.maybeExecuted : .neverSent)
        }
        (under, first, output, written) = ([], 0, [], 0)
        return fates
    }

    private func dropAnswered() {
        if first == under.count {
            under.removeAll(keepingCapacity: true)
            first = 0
        } else if first >= Self.droppedMin {
            under.removeFirst(first)
            first = 0
        }
    }
}
