import CLinux
import CMicrohttpd
import Glibc
import LikesHTTP
import LikesProtocol

/// All clients' connections, and the library that reads and writes them.
final class ClientTable {
    private var daemon: OpaquePointer?
    private var source: Source?
    private var clients: [Int32: Client] = [:]
    private let lingering: Lingering
    private let metrics: Metrics
    /// Gives the response to a request, or nil if it comes later, with `respond`.
    private let handle: (Client) -> HTTPResponse?
    /// Bytes of the bodies of all requests that are being read.
    private var bodiesBytes = 0
    /// Bytes of all responses on their way.
    private var responsesBytes = 0
    private var refusals = RepeatedLine()
    private var isStopping = false
    /// The library has something to do even if no socket has.
    private(set) var isDue = false
    private var nowMs = Clock.nowMs

    init(
        loop: Loop, metrics: Metrics, handle: @escaping (Client) -> HTTPResponse?
    ) throws(GatewayError) {
        self.metrics = metrics
        self.handle = handle
        lingering = Lingering(loop: loop)
        daemon = http_start(
            Unmanaged.passUnretained(self).toOpaque(), Callbacks.access, Callbacks.begun, Callbacks.completed,
            Callbacks.connection, UInt32(GatewayLimits.connectionsMax), GatewayLimits.headerBytesMax)
        guard let daemon else { throw GatewayError("libmicrohttpd cannot be started") }
        let epoll = http_epoll(daemon)
        guard epoll >= 0 else { throw GatewayError("libmicrohttpd has no epoll: it was built without") }
        source = try loop.watch(epoll, for: EPOLLIN.rawValue) { [unowned self] _ in isDue = true }
    }

    var count: Int { clients.count }

    // MARK: Connections

    /// Takes over an accepted connection.
    func add(_ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ size: socklen_t) {
        metrics.connections += 1
        guard clients.count < GatewayLimits.connectionsMax else {
            metrics.connectionsRefused += 1
            let text = "too many connections: \(GatewayLimits.connectionsMax)"
            refusals.write(.warning, "a client was refused: \(text)", nowMs: nowMs)
            send(Refusal.busy(text).response(), to: descriptor)
            lingering.add(descriptor, nowMs: nowMs)
            return
        }
        var bytes = GatewayLimits.socketBufferBytes
        setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        clients[descriptor] = Client(descriptor, deadlineMs: nowMs + GatewayLimits.requestMsMax)
        // If it fails, it closes the descriptor.
        if MHD_add_connection(daemon, descriptor, address, size) != .YES { clients[descriptor] = nil }
        isDue = true
    }

    /// A response that the library knows nothing of, to a client to which nothing else is being written.
    private func send(_ response: HTTPResponse, to descriptor: Int32) {
        metrics.count(response.status)
        let bytes = RawResponse.bytes(response)
        // A few hundred bytes fit into the socket's buffer. If not, the client is not reading.
        _ = bytes.withUnsafeBytes {
            Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        }
    }

    fileprivate func connection(_ handle: OpaquePointer, isClosed: Bool) -> Client? {
        let descriptor = http_socket(handle)
        guard let client = clients[descriptor] else { return nil }
        guard isClosed else {
            client.handle = handle
            return client
        }
        clients[descriptor] = nil
        client.handle = nil
        if !client.isReset, client.isAnsweredEarly || bytes_to_read(descriptor) > 0 {
            let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
            if copy >= 0 { lingering.add(copy, nowMs: nowMs) }
        }
        return nil
    }

    // MARK: Requests

    fileprivate func begun(_ client: Client, _ target: UnsafePointer<CChar>) {
        client.phase = .receiving
        client.deadlineMs = nowMs + GatewayLimits.requestMsMax
        client.target = String(cString: target)
    }

    /// The library calls this when the headers are here, for each part of the body, and when all of it is here.
    fileprivate func access(
        _ client: Client, _ connection: OpaquePointer, _ method: String, _ version: String,
        _ part: UnsafeBufferPointer<UInt8>
    ) -> MHD_Result {
        guard client.request != nil else { return headersCame(client, connection, method, version) }
        guard part.isEmpty else {
            take(part, of: client)
            return .YES
        }
        if client.phase == .receiving {
            client.phase = .asked
            client.response = refusal(of: client) ?? handle(client)
            // Who waits for the item types is looked at again.
            if client.response != nil || client.job != nil { forgetBody(of: client) }
        }
        guard let response = client.response else {
            MHD_suspend_connection(connection)
            return .YES
        }
        return queue(response, to: client, connection)
    }

    private func headersCame(
        _ client: Client, _ connection: OpaquePointer, _ method: String, _ version: String
    ) -> MHD_Result {
        let facts = HeaderFacts(of: connection)
        client.request = Client.Request(
            message: HTTPRequest(method, client.target, contentType: facts.contentType, accept: facts.accept))
        let bytesMax = GatewayLimits.bodyBytesMax
        if let refusal = facts.refusal(version: version) { return refuse(refusal, client, connection) }
        if facts.bodyBytes > UInt64(bytesMax) {
            let refusal = Refusal.tooLarge(bytesMax: bytesMax)
            if facts.expectsContinue || facts.bodyBytes > GatewayLimits.bodyDroppedBytesMax {
                return refuse(refusal, client, connection)
            }
            client.request?.refusal = refusal
        }
        return .YES
    }

    /// Answers before the body is read, and closes the connection.
    private func refuse(_ refusal: Refusal, _ client: Client, _ connection: OpaquePointer) -> MHD_Result {
        client.isAnsweredEarly = true
        let wantsProblems = client.request?.message.wantsProblems ?? false
        return queue(refusal.response(problem: wantsProblems), to: client, connection)
    }

    private func refusal(of client: Client) -> HTTPResponse? {
        guard let request = client.request else { return nil }
        if let refusal = request.refusal { return refusal.response(problem: request.message.wantsProblems) }
        guard responsesBytes > GatewayLimits.responsesBytesMax else { return nil }
        return Refusal.busy("too many responses wait to be read").response(problem: request.message.wantsProblems)
    }

    private func take(_ part: UnsafeBufferPointer<UInt8>, of client: Client) {
        guard var request = client.request else { return }
        client.request = nil
        defer { client.request = request }
        if request.refusal == nil {
            if request.message.body.count + part.count > GatewayLimits.bodyBytesMax {
                request.refusal = .tooLarge(bytesMax: GatewayLimits.bodyBytesMax)
            } else if bodiesBytes + part.count > GatewayLimits.bodiesBytesMax {
                request.refusal = .busy("too many requests at once")
            }
        }
        guard request.refusal != nil else {
            request.message.body.append(contentsOf: part)
            bodiesBytes += part.count
            return
        }
        bodiesBytes -= request.message.body.count
        request.message.body = []
        request.dropped += UInt64(part.count)
        // Without an end, as with chunks: whoever sends so much has not asked whether it is wanted.
        if request.dropped > GatewayLimits.bodyDroppedBytesMax {
            send(Refusal.tooLarge(bytesMax: GatewayLimits.bodyBytesMax).response(), to: client.descriptor)
            reset(client)
        }
    }

    /// Ends a connection at once, whatever the client still sends.
    private func reset(_ client: Client) {
        client.isReset = true
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(client.descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        shutdown(client.descriptor, Int32(SHUT_RDWR))
    }

    private func forgetBody(of client: Client) {
        bodiesBytes -= client.request?.message.body.count ?? 0
        client.request?.message.body = []
    }

    // MARK: Responses

    /// The response to a request whose `handle` gave none.
    func respond(_ client: Client, _ response: HTTPResponse) {
        forgetBody(of: client)
        client.response = response
        client.job?.client = nil
        client.job = nil
        guard let handle = client.handle else { return }
        MHD_resume_connection(handle)
        isDue = true
    }

    private func queue(_ response: HTTPResponse, to client: Client, _ connection: OpaquePointer) -> MHD_Result {
        let made = response.body.withUnsafeBytes { bytes in
            MHD_create_response_from_buffer(
                bytes.count, UnsafeMutableRawPointer(mutating: bytes.baseAddress), .RESPMEM_MUST_COPY)
        }
        guard let made else { return .NO }
        defer { MHD_destroy_response(made) }
        for header in response.headers { MHD_add_response_header(made, header.name, header.value) }
        if isStopping { MHD_add_response_header(made, "Connection", "close") }
        client.phase = .answering
        client.deadlineMs = nowMs + GatewayLimits.responseMsMax
        client.response = nil
        client.responseBytes = response.body.count
        responsesBytes += client.responseBytes
        metrics.count(response.status)
        return MHD_queue_response(connection, UInt32(response.status), made)
    }

    fileprivate func completed(_ client: Client) {
        forgetBody(of: client)
        responsesBytes -= client.responseBytes
        client.endRequest(deadlineMs: nowMs + GatewayLimits.requestMsMax)
    }

    // MARK: Turns

    /// Lets the library read and write.
    func run() {
        nowMs = Clock.nowMs
        guard isDue else { return }
        isDue = false
        MHD_run(daemon)
        var waitMs: UInt64 = 0
        if MHD_get_timeout(daemon, &waitMs) == .YES, waitMs == 0 { isDue = true }
    }

    /// Ends what has taken too long.
    func sweep(nowMs: Int64) {
        lingering.sweep(nowMs: nowMs)
        for client in clients.values where client.phase != .asked {
            let isIdle = client.phase == .idle
            // Who has just begun a request is not idle.
            if isIdle, isStopping || client.deadlineMs <= nowMs, bytes_to_read(client.descriptor) == 0 {
                shutdown(client.descriptor, Int32(SHUT_RDWR))
            } else if !isIdle, client.deadlineMs <= nowMs {
                if client.phase == .receiving {
                    metrics.requestsTooSlow += 1
                    send(Refusal.tooSlow.response(), to: client.descriptor)
                }
                shutdown(client.descriptor, Int32(SHUT_RDWR))
                // Once is enough, until the library has seen it.
                client.deadlineMs = .max
            }
        }
    }

    /// From now on connections end after their response.
    func stop(nowMs: Int64) {
        isStopping = true
        isDue = true
        for client in clients.values where client.phase != .asked {
            client.deadlineMs = min(client.deadlineMs, nowMs + GatewayLimits.stopMsMax)
        }
        sweep(nowMs: nowMs)
    }
}

/// What the library calls, with the table as its context.
private enum Callbacks {
    static let access: MHD_AccessHandlerCallback = { context, connection, _, method, version, data, size, _ in
        guard let context, let connection, let method, let version, let size,
            let client = client(of: connection)
        else { return .NO }
        let table = Unmanaged<ClientTable>.fromOpaque(context).takeUnretainedValue()
        let part = UnsafeRawBufferPointer(start: data, count: size.pointee)
        size.pointee = 0
        return table.access(
            client, connection, String(cString: method), String(cString: version),
            UnsafeBufferPointer(start: part.baseAddress?.assumingMemoryBound(to: UInt8.self), count: part.count))
    }

    static let begun:
        @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?, OpaquePointer?) -> UnsafeMutableRawPointer? = {
            context, target, connection in
            guard let context, let target, let connection, let client = client(of: connection) else { return nil }
            Unmanaged<ClientTable>.fromOpaque(context).takeUnretainedValue().begun(client, target)
            return nil
        }

    static let completed: MHD_RequestCompletedCallback = { context, connection, _, _ in
        guard let context, let connection, let client = client(of: connection) else { return }
        Unmanaged<ClientTable>.fromOpaque(context).takeUnretainedValue().completed(client)
    }

    static let connection: MHD_NotifyConnectionCallback = { context, connection, kept, code in
        guard let context, let connection, let kept else { return }
        let table = Unmanaged<ClientTable>.fromOpaque(context).takeUnretainedValue()
        // The table keeps the client alive until the connection is closed.
        let client = table.connection(connection, isClosed: code == .CONNECTION_NOTIFY_CLOSED)
        kept.pointee = client.map { Unmanaged.passUnretained($0).toOpaque() }
    }

    private static func client(of connection: OpaquePointer) -> Client? {
        http_kept(connection).map { Unmanaged<Client>.fromOpaque($0).takeUnretainedValue() }
    }
}
