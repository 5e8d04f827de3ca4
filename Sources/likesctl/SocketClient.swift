import Glibc
import LikesProtocol
import LikesSettings
import LikesctlCommands

/// One connection to the daemon, for one request.
struct SocketClient: ~Copyable {
    /// The daemon answers each request within REQUEST_TIMEOUT_MS; this much later no answer will come.
    static let replyMarginMs: Int64 = 2_000
    private static let readBytes = 64 * 1024

    private let descriptor: Int32
    private let timeoutMs: Int64
    private let deadlineMs: Int64

    /// Connects. `timeoutMs` limits this and everything that follows.
    static func connected(to path: String, timeoutMs: Int64) throws(Failure) -> SocketClient {
        SocketClient(descriptor: try descriptor(connectedTo: path, timeoutMs: timeoutMs), timeoutMs: timeoutMs)
    }

    /// A connected socket, which the caller must close.
    static func descriptor(connectedTo path: String, timeoutMs: Int64) throws(Failure) -> Int32 {
        guard path.utf8.count <= ConfigurationLimits.socketPathBytesMax else {
            throw Failure(
                .usage,
                "a socket's path has at most \(ConfigurationLimits.socketPathBytesMax) bytes, this one has "
                    + "\(path.utf8.count): \(path)")
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else {
            throw Failure(.unreachable, "cannot create a socket: \(SystemCalls.text(of: errno))")
        }
        let code = connect(descriptor, to: path, timeoutMs: timeoutMs)
        guard code == 0 else {
            close(descriptor)
            throw ConnectFailure.explain(code, path: path, timeoutMs: timeoutMs)
        }
        return descriptor
    }

    private init(descriptor: Int32, timeoutMs: Int64) {
        self.descriptor = descriptor
        self.timeoutMs = timeoutMs
        deadlineMs = SystemCalls.nowMs() + timeoutMs
    }

    /// 0, or the `errno` of connect(2).
    private static func connect(_ descriptor: Int32, to path: String, timeoutMs: Int64) -> Int32 {
        // While the daemon's backlog is full, connecting waits for as long as this says.
        var wait = timeval(tv_sec: Int(timeoutMs / 1_000), tv_usec: Int(timeoutMs % 1_000) * 1_000)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let outcome = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return outcome == 0 ? 0 : errno
    }

    deinit { close(descriptor) }

    /// Sends one request as a RESP array, so that its arguments may contain anything, and waits for its reply.
    func reply(to words: [String], _ command: Command) throws(Failure) -> ReceivedReply {
        var request = "*\(words.count)\r\n"
        for word in words { request += "$\(word.utf8.count)\r\n\(word)\r\n" }
        try send(Array(request.utf8), command)
        return try receive(command)
    }

    /// Throws if another server than likesd answers here. `reply`: its answer to `command`, which leaves no doubt in
    /// most cases.
    func checkIsLikesd(after reply: ReceivedReply, to command: Command) throws(Failure) {
        guard Self.mayBeAnothers(reply, to: command), let server = otherServer() else { return }
        throw Failure(
            .notUnderstood, "this is a socket of \(ForeignText.shown(server)), not of likesd",
            next: ConnectFailure.nameSocket)
    }

    /// Whether another server may give such an answer: Redis answers PING and INFO, and knows no other request of
    /// likesd's. It refuses them as wrong or not permitted, or with a code of its own.
    private static func mayBeAnothers(_ reply: ReceivedReply, to command: Command) -> Bool {
        guard case .error(let bytes) = reply else { return command == .ping || command == .info }
        switch ReceivedError(bytes).code {
        case .err, .noPermission, nil: return true
        case .rateLimited, .busy, .unavailable, .configuration, .uncertain, .noProto: return false
        }
    }

    /// The name of the server that answers here; nil: it is likesd, or says nothing.
    private func otherServer() -> String? {
        do throws(Failure) {
            switch try reply(to: ["HELLO"], .ping) {
            case .array(let fields) where fields.count > 1 && fields[0].text == "server":
                return fields[1].text == "likesd" ? nil : fields[1].text
            // likesd refuses nobody a greeting, unless it has no room.
            case .error(let bytes) where ReceivedError(bytes).code == .busy: return nil
            default: return "another server"
            }
        } catch {
            // The first answer is all there is to go by.
            return nil
        }
    }

    private func send(_ bytes: [UInt8], _ command: Command) throws(Failure) {
        var sent = 0
        while sent < bytes.count {
            guard SystemCalls.wait(for: Int16(POLLOUT), on: descriptor, deadlineMs: deadlineMs) else {
                throw timedOut(command)
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
                throw lost(SystemCalls.text(of: errno), command)
            }
        }
    }

    private func receive(_ command: Command) throws(Failure) -> ReceivedReply {
        var reader = ReplyReader(limits: .ofLikesd)
        var chunk = [UInt8](repeating: 0, count: Self.readBytes)
        while true {
            do {
                if let reply = try reader.next() { return reply.value }
            } catch {
                throw Failure(
                    .notUnderstood, "the answer does not come from likesd (\(error.text)): is this its socket?",
                    next: ConnectFailure.nameSocket)
            }
            guard SystemCalls.wait(for: Int16(POLLIN), on: descriptor, deadlineMs: deadlineMs) else {
                throw timedOut(command)
            }
            let count = recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
            if count > 0 {
                reader.append(chunk[..<count])
            } else if count == 0 {
                throw lost("it closed the connection", command)
            } else if errno != EINTR, errno != EAGAIN {
                throw lost(SystemCalls.text(of: errno), command)
            }
        }
    }

    private func timedOut(_ command: Command) -> Failure {
        unanswered("no answer within \(timeoutMs) ms", command, otherwise: .timedOut)
    }

    private func lost(_ why: String, _ command: Command) -> Failure {
        unanswered("the daemon went away without an answer (\(why))", command, otherwise: .unreachable)
    }

    /// A change without an answer may be stored, as with the daemon's own UNCERTAIN.
    private func unanswered(_ what: String, _ command: Command, otherwise status: ExitStatus) -> Failure {
        if command.isChange {
            return Failure(
                .uncertain, "\(what): whether it was stored is unknown",
                next: "repeat it, which is safe, or ask 'likesctl liked'")
        }
        return Failure(status, what, next: "read its log: journalctl -u likesd")
    }
}
