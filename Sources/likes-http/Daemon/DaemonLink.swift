import CLinux
import LikesClient
import LikesProtocol

/// One connection to likesd, and what was asked on it.
final class DaemonLink {
    /// What a request to likesd is for.
    enum Purpose {
        case job(Job, call: Int)
        /// likesd's item types: the first thing that each connection is asked, and now and then later.
        case types(DaemonLink)
    }

    private(set) var client: PipelinedClient?
    private var source: Source?
    /// In the order of their numbers, which are consecutive.
    private var purposes: [Purpose?] = []
    private var firstNumber: UInt64 = 1
    /// No attempt to connect before this.
    private(set) var retryAtMs: Int64 = .min
    private var retryMs = GatewayLimits.reconnectMsMin
    private(set) var isDirty = false
    /// likesd has answered something since the connection was made: it is one that lasts.
    private(set) var hasAnswered = false
    /// What likesd said in place of its first answer: it has no room, and ends the connection next.
    var refusal: String?

    var isConnected: Bool { client != nil }
    var underWay: Int { client?.requestCount ?? 0 }

    /// Connects. `ready` is called when the socket can be read or written.
    func connect(to path: String, loop: Loop, nowMs: Int64, ready: @escaping () -> Void) throws(SocketError) {
        do throws(SocketError) {
            let descriptor = try UnixSocket.connectedAtOnce(to: path)
            let client = PipelinedClient(descriptor: descriptor)
            do throws(GatewayError) {
                source = try loop.watch(descriptor, for: EPOLLIN.rawValue) { _ in ready() }
            } catch {
                throw SocketError.noSocket(ENOMEM)
            }
            self.client = client
            (purposes, firstNumber, hasAnswered, refusal) = ([], 1, false, nil)
        } catch {
            backOff(nowMs: nowMs)
            throw error
        }
    }

    private func backOff(nowMs: Int64) {
        retryAtMs = nowMs + retryMs
        retryMs = min(2 * retryMs, GatewayLimits.reconnectMsMax)
    }

    /// The connection is one that lasts: if it ends, another attempt comes at once.
    func answered() {
        hasAnswered = true
        retryMs = GatewayLimits.reconnectMsMin
    }

    /// Queues a request; false: there is no room.
    func send(_ words: [String], for purpose: Purpose) -> Bool {
        guard let client, client.send(RequestBytes(words)) != nil else { return false }
        purposes.append(purpose)
        isDirty = true
        return true
    }

    /// Writes what was queued.
    func flush() throws(SocketError) {
        isDirty = false
        guard let client else { return }
        try client.flush()
        source?.setEvents(client.wantsToWrite ? EPOLLIN.rawValue | EPOLLOUT.rawValue : EPOLLIN.rawValue)
    }

    /// Reads replies, and gives each with its purpose to `body`.
    func receive(_ body: (Purpose, ReplyView) -> Void) throws(SocketError) {
        guard let client else { return }
        for _ in 0..<GatewayLimits.readsPerTurn {
            let hasMore = try client.receive { number, reply in
                let place = Int(number - firstNumber)
                guard place < purposes.count, let purpose = purposes[place] else { return }
                purposes[place] = nil
                body(purpose, reply)
            }
            guard hasMore else { break }
        }
        dropAnswered()
    }

    private func dropAnswered() {
        guard let client, let oldest = client.oldest else {
            firstNumber += UInt64(purposes.count)
            purposes.removeAll(keepingCapacity: true)
            return
        }
        let answered = Int(oldest - firstNumber)
        guard answered >= purposes.count / 2, answered > 0 else { return }
        purposes.removeFirst(answered)
        firstNumber = oldest
    }

    /// The connection is over: what became of each request without a reply.
    func end(nowMs: Int64) -> [(purpose: Purpose, fate: PipelinedClient.Fate)] {
        guard let client else { return [] }
        let fates = client.end().compactMap { request in
            purposes[Int(request.number - firstNumber)].map { (purpose: $0, fate: request.fate) }
        }
        source?.cancel()
        (self.client, source, purposes, isDirty) = (nil, nil, [], false)
        // likesd may have been restarted. But one that takes the connection and ends it is not asked over and over.
        if hasAnswered { retryAtMs = nowMs } else { backOff(nowMs: nowMs) }
        return fates
    }
}
