import CHiredis
import CLinux
import CSystemd
import Glibc
import LikesProtocol

/// A connection's socket: bytes out, replies in, without ever waiting. hiredis opens it. Its asynchronous layer is not
/// used, since unrequested bytes from a server run into its assertions; neither is its reader, which accepts whatever a
/// server announces.
final class RedisSocket {
    private let context: UnsafeMutablePointer<redisContext>
    private var source: IOSource?
    private var reader = ReplyReader(limits: EdgeLimits.redisReply)
    /// Commands; those before `outputStart` have been written.
    private var output: [UInt8] = []
    private var outputStart = 0
    private var isConnected = false
    private let kind: Reading.Kind
    private let onEvent: (Event) -> Void

    enum Event {
        case connected
        case reply(ReplyView)
        /// It is of no use any more, and why.
        case failed(String)
        /// … because the server sent something that is not a reply.
        case misspoke(String)
    }

    /// Begins to connect to an address, not a name; nil: no memory.
    static func tcp(_ address: String, port: Int) -> UnsafeMutablePointer<redisContext>? {
        redisConnectNonBlock(address, Int32(port))
    }

    static func unix(_ path: String) -> UnsafeMutablePointer<redisContext>? { redisConnectUnixNonBlock(path) }

    /// Takes over a context that is connecting. `kind`: what arrives. `onEvent` may end the socket.
    init(
        _ context: UnsafeMutablePointer<redisContext>, _ kind: Reading.Kind, loop: EventLoop,
        onEvent: @escaping (Event) -> Void
    ) throws(DaemonError) {
        self.context = context
        self.kind = kind
        self.onEvent = onEvent
        source = try loop.watch(context.pointee.fd, for: EPOLLOUT.rawValue) { [unowned self] in self.ready($0) }
    }

    deinit { close() }

    /// It reports nothing from now on.
    func close() {
        guard source != nil else { return }
        source?.cancel()
        source = nil
        redisFree(context)
    }

    private var isOpen: Bool { source != nil }

    /// hiredis' words for why connecting failed at once.
    static func reason(_ context: UnsafeMutablePointer<redisContext>) -> String {
        withUnsafeBytes(of: context.pointee.errstr) { bytes in ForeignText.shown(bytes.prefix { $0 != 0 }) }
    }

    private static func reason(_ code: Int32) -> String { DaemonError.text(code) }

    // MARK: Events

    private func ready(_ events: UInt32) {
        guard isConnected else { return connected() }
        if events & EPOLLOUT.rawValue != 0 { write() }
        guard isOpen, events & ~EPOLLOUT.rawValue != 0 else { return }
        read()
    }

    private func connected() {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(context.pointee.fd, SOL_SOCKET, SO_ERROR, &code, &length) == 0, code == 0 else {
            return onEvent(.failed(Self.reason(code)))
        }
        isConnected = true
        // On a Unix socket this fails, and hiredis then considers the whole connection broken.
        if context.pointee.connection_type == REDIS_CONN_TCP { redisEnableKeepAlive(context) }
        source?.setEvents(EPOLLIN.rawValue)
        onEvent(.connected)
    }

    private func read() {
        let count = withUnsafeTemporaryAllocation(byteCount: EdgeLimits.readBytes, alignment: 16) { buffer in
            let count = recv(context.pointee.fd, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
            if count > 0 { take(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
            return count
        }
        if count == 0 { return onEvent(.failed("the server closed the connection")) }
        if count < 0 && errno != EAGAIN && errno != EINTR { onEvent(.failed(Self.reason(errno))) }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) {
        defer { Reading.ended() }
        Reading.begins(kind, bytes)
        reader.append(bytes)
        do throws(ReplyFault) {
            while isOpen {
                // The next reply, or the rest of one that began earlier.
                Reading.isAt(UnsafeRawBufferPointer(rebasing: bytes.suffix(reader.heldCount)))
                guard let reply = try reader.next() else { return }
                onEvent(.reply(reply))
            }
        } catch {
            onEvent(.misspoke("it does not speak Redis' protocol: \(error.text)"))
        }
    }

    // MARK: Writing

    /// Queues bytes to write. False: there are too many.
    func append(_ bytes: [UInt8]) -> Bool {
        guard output.count - outputStart + bytes.count <= EdgeLimits.redisOutputBytesMax else { return false }
        output.append(contentsOf: bytes)
        return true
    }

    /// Writes what gathered, now rather than after another wait for the socket, and waits to write the rest.
    func write() {
        guard isConnected, isOpen, outputStart < output.count else { return }
        let written = output.withUnsafeBytes { bytes in
            send(
                context.pointee.fd, bytes.baseAddress.map { $0 + outputStart }, bytes.count - outputStart,
                Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        }
        if written < 0 && errno != EAGAIN && errno != EINTR {
            let code = errno
            // A server that hangs up may have said why.
            read()
            if isOpen { onEvent(.failed(Self.reason(code))) }
            return
        }
        outputStart += max(0, written)
        guard outputStart < output.count else {
            // Keeps room for what one turn sends.
            if output.capacity > EdgeLimits.readBytes { output = [] } else { output.removeAll(keepingCapacity: true) }
            outputStart = 0
            source?.setEvents(EPOLLIN.rawValue)
            return
        }
        if outputStart > output.count / 2 {
            output.removeFirst(outputStart)
            outputStart = 0
        }
        source?.setEvents(EPOLLIN.rawValue | EPOLLOUT.rawValue)
    }
}
