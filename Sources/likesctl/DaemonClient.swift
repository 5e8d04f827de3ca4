import LikesClient
import LikesProtocol
import LikesctlCommands

/// One connection to the daemon, for one request, whose failures speak to the user.
struct DaemonClient: ~Copyable {
    /// The daemon answers each request within REQUEST_TIMEOUT_MS; this much later no answer will come.
    static let replyMarginMs: Int64 = 2_000

    private let client: SocketClient
    private let timeoutMs: Int64

    /// Connects. `timeoutMs` limits this and everything that follows.
    static func connected(to path: String, timeoutMs: Int64) throws(Failure) -> DaemonClient {
        do {
            return DaemonClient(
                client: try SocketClient.connected(to: path, timeoutMs: timeoutMs), timeoutMs: timeoutMs)
        } catch {
            throw failure(error, path, timeoutMs: timeoutMs)
        }
    }

    /// A connected socket, which the caller must close.
    static func descriptor(connectedTo path: String, timeoutMs: Int64) throws(Failure) -> Int32 {
        do {
            return try UnixSocket.connected(to: path, timeoutMs: timeoutMs)
        } catch {
            throw failure(error, path, timeoutMs: timeoutMs)
        }
    }

    private init(client: consuming SocketClient, timeoutMs: Int64) {
        self.client = client
        self.timeoutMs = timeoutMs
    }

    /// Why there is no connection.
    private static func failure(_ error: SocketError, _ path: String, timeoutMs: Int64) -> Failure {
        switch error {
        case .pathTooLong: Failure(.usage, "\(error.text): \(path)")
        case .notConnected(let code): ConnectFailure.explain(code, path: path, timeoutMs: timeoutMs)
        case .noSocket, .timedOut, .closed, .failed, .notUnderstood: Failure(.unreachable, error.text)
        }
    }

    /// Sends one request and waits for its reply.
    func reply(to words: [String], _ command: Command) throws(Failure) -> ReceivedReply {
        do {
            return try client.reply(to: words)
        } catch {
            switch error {
            case .timedOut: throw unanswered("no answer within \(timeoutMs) ms", command, otherwise: .timedOut)
            case .notUnderstood(let fault):
                throw Failure(
                    .notUnderstood, "the answer does not come from likesd (\(fault.text)): is this its socket?",
                    next: ConnectFailure.nameSocket)
            case .pathTooLong, .noSocket, .notConnected, .closed, .failed:
                throw unanswered(
                    "the daemon went away without an answer (\(error.text))", command, otherwise: .unreachable)
            }
        }
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
