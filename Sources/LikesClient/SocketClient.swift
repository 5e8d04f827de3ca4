import Glibc
import LikesProtocol

/// One connection to likesd that asks one thing at a time and waits for the answer.
public struct SocketClient: ~Copyable {
    private static let readBytes = 64 * 1024

    private let descriptor: Int32
    private let deadlineMs: Int64

    /// Connects. `timeoutMs` limits this and everything that follows, in milliseconds.
    /// - Throws: `pathTooLong`, `noSocket` or `notConnected`.
    public static func connected(to path: String, timeoutMs: Int64) throws(SocketError) -> SocketClient {
        SocketClient(
            descriptor: try UnixSocket.connected(to: path, timeoutMs: timeoutMs),
            deadlineMs: SystemCalls.nowMs() + timeoutMs)
    }

    deinit { close(descriptor) }

    /// Sends one request and waits for its reply.
    /// - Throws: `timedOut`, `closed`, `failed` or `notUnderstood`. Then the connection is of no use any more, and a
    ///   change that it sent may have been stored.
    public func reply(to words: [String]) throws(SocketError) -> ReceivedReply {
        try send(RequestBytes(words).bytes)
        return try receive()
    }

    private func send(_ bytes: [UInt8]) throws(SocketError) {
        var sent = 0
        while sent < bytes.count {
            guard SystemCalls.wait(for: Int16(POLLOUT), on: descriptor, deadlineMs: deadlineMs) else {
                throw .timedOut
            }
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
            }
            if count >= 0 {
                sent += count
            } else if errno == EPIPE || errno == ECONNRESET {
                // Closed in the middle of the request: a last reply may say why.
                return
            } else if errno != EINTR, errno != EAGAIN {
                throw .failed(errno)
            }
        }
    }

    private func receive() throws(SocketError) -> ReceivedReply {
        var reader = ReplyReader(limits: .ofLikesd)
        var chunk = [UInt8](repeating: 0, count: Self.readBytes)
        while true {
            do {
                if let reply = try reader.next() { return reply.value }
            } catch {
                throw .notUnderstood(error)
            }
            guard SystemCalls.wait(for: Int16(POLLIN), on: descriptor, deadlineMs: deadlineMs) else {
                throw .timedOut
            }
            let count = recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
            if count > 0 {
                reader.append(chunk[..<count])
            } else if count == 0 {
                throw .closed
            } else if errno != EINTR, errno != EAGAIN {
                throw .failed(errno)
            }
        }
    }
}
