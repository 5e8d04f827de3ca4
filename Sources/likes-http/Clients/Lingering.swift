import CLinux
import Glibc

/// Connections that were answered before all of the request was read. Closing one at once would reset it, and the
/// client might lose the response. So what still comes is read and dropped for a while.
final class Lingering {
    private final class Connection {
        let descriptor: Int32
        let deadlineMs: Int64
        var source: Source?
        var dropped: UInt64 = 0

        init(_ descriptor: Int32, deadlineMs: Int64) {
            self.descriptor = descriptor
            self.deadlineMs = deadlineMs
        }
    }

    private let loop: Loop
    private var connections: [Int32: Connection] = [:]
    private var scratch = [UInt8](repeating: 0, count: 64 * 1024)

    init(loop: Loop) { self.loop = loop }

    /// Takes over a descriptor of a connection to which nothing more is written.
    func add(_ descriptor: Int32, nowMs: Int64) {
        shutdown(descriptor, Int32(SHUT_WR))
        guard connections.count < GatewayLimits.lingeringMax else {
            close(descriptor)
            return
        }
        let connection = Connection(descriptor, deadlineMs: nowMs + GatewayLimits.lingerMs)
        do throws(GatewayError) {
            connection.source = try loop.watch(descriptor, for: EPOLLIN.rawValue) {
                [unowned self, unowned connection] _ in
                drop(connection)
            }
            connections[descriptor] = connection
        } catch {
            // Without it the client may see a reset; the response was sent all the same.
            close(descriptor)
        }
    }

    private func drop(_ connection: Connection) {
        let count = recv(connection.descriptor, &scratch, scratch.count, Int32(MSG_DONTWAIT))
        if count > 0 {
            connection.dropped += UInt64(count)
            if connection.dropped > GatewayLimits.bodyDroppedBytesMax { end(connection) }
        } else if count == 0 || errno != EAGAIN && errno != EINTR {
            end(connection)
        }
    }

    private func end(_ connection: Connection) {
        connections[connection.descriptor] = nil
        connection.source?.cancel()
        close(connection.descriptor)
    }

    func sweep(nowMs: Int64) {
        for connection in Array(connections.values) where connection.deadlineMs <= nowMs { end(connection) }
    }
}
