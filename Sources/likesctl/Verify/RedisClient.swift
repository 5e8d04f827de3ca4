import CHiredis
import Glibc
import LikesHost
import LikesProtocol
import LikesSettings

/// What Redis answered.
enum RedisValue: Equatable {
    case null
    case integer(Int64)
    case text(String)
    case array([RedisValue])
    case error(String)
}

/// Why Redis cannot be asked.
struct RedisTrouble: Error {
    var reason: String
}

/// One connection to Redis that waits for its answers. Once it has failed, it stays failed.
final class RedisClient {
    /// Milliseconds to connect, and to wait for an answer.
    static let defaultTimeoutMs = 5_000
    /// Items in one command.
    static let itemsMax = 500
    private static let readBytes = 64 * 1024
    /// Limits on one reply. SCAN may return somewhat more keys than it was asked for. A cluster of 1,000 nodes says
    /// some 200 KiB of itself.
    private static let limits = ReplyLimits(
        lineBytesMax: 16 * 1024, bulkBytesMax: 256 * 1024, passedOverBytesMax: 512 * 1024 * 1024,
        elementsMax: 64 * 1024, depthMax: 2, replyBytesMax: 8 * 1024 * 1024)

    private let context: UnsafeMutablePointer<redisContext>
    private let place: String
    private let timeoutMs: Int
    private var trouble: RedisTrouble?
    private var reader = ReplyReader(limits: limits)
    private var chunk = [UInt8](repeating: 0, count: readBytes)

    /// `place`: for messages.
    init(
        _ address: RedisEndpoint.Address, _ credentials: RedisCredentials, database: Int = 0, place: String,
        timeoutMs: Int = defaultTimeoutMs
    ) throws(RedisTrouble) {
        let timeout = timeval(tv_sec: timeoutMs / 1_000, tv_usec: timeoutMs % 1_000 * 1_000)
        self.timeoutMs = timeoutMs
        self.place = place
        let opened =
            switch address {
            case .tcp(let host, let port): redisConnectWithTimeout(host, Int32(port), timeout)
            case .unix(let path): redisConnectUnixWithTimeout(path, timeout)
            }
        guard let opened else { throw RedisTrouble(reason: "no memory for a connection to \(place)") }
        context = opened
        guard opened.pointee.err == 0, redisSetTimeout(opened, timeout) == REDIS_OK else { throw lost() }
        if let password = credentials.password {
            let words = ["AUTH"] + (credentials.username.map { [$0] } ?? []) + [password]
            try demand(words, "AUTH") { credentials.redacted($0) }
        }
        if database != 0 { try demand(["SELECT", String(database)], "SELECT") }
    }

    deinit { redisFree(context) }

    private func demand(
        _ words: [String], _ name: String, shown: (String) -> String = { $0 }
    ) throws(RedisTrouble) {
        if case .error(let message) = try call(words) {
            throw RedisTrouble(reason: "\(place): \(name): \(shown(message))")
        }
    }

    /// Sends one command and waits for its answer, which may be an error.
    func call(_ words: [String]) throws(RedisTrouble) -> RedisValue {
        if let trouble { throw trouble }
        do {
            try send(words)
            return Self.value(try receive())
        } catch {
            trouble = error
            throw error
        }
    }

    /// Sends several commands at once, and waits for their answers, each of which may be an error.
    func calls(_ commands: [[String]]) throws(RedisTrouble) -> [RedisValue] {
        if let trouble { throw trouble }
        do {
            for words in commands { try send(words) }
            var values: [RedisValue] = []
            for _ in commands { values.append(Self.value(try receive())) }
            return values
        } catch {
            trouble = error
            throw error
        }
    }

    private func send(_ words: [String]) throws(RedisTrouble) {
        let lengths = words.map(\.utf8.count)
        // The words are copied before this returns.
        let isKept = CStrings.with(words) { pointers in
            var pointers = Array(UnsafeBufferPointer(start: pointers, count: words.count))
            return redisAppendCommandArgv(context, Int32(words.count), &pointers, lengths) == REDIS_OK
        }
        var isWritten: Int32 = 0
        while isKept, isWritten == 0 {
            guard redisBufferWrite(context, &isWritten) == REDIS_OK else { throw lost() }
        }
        if !isKept { throw lost() }
    }

    /// hiredis' own reader accepts whatever a server announces.
    private func receive() throws(RedisTrouble) -> ReplyView {
        let deadlineMs = SystemCalls.nowMs() + Int64(timeoutMs)
        while true {
            do {
                if let reply = try reader.next() { return reply }
            } catch {
                throw RedisTrouble(reason: "\(place): it does not speak Redis' protocol: \(error.text)")
            }
            guard SystemCalls.wait(for: Int16(POLLIN), on: context.pointee.fd, deadlineMs: deadlineMs) else {
                throw RedisTrouble(reason: "\(place): no answer within \(timeoutMs) ms")
            }
            let count = recv(context.pointee.fd, &chunk, chunk.count, Int32(MSG_DONTWAIT))
            if count > 0 {
                reader.append(chunk[..<count])
            } else if count == 0 {
                throw RedisTrouble(reason: "\(place): the server closed the connection")
            } else if errno != EINTR, errno != EAGAIN {
                throw RedisTrouble(reason: "\(place): \(SystemCalls.text(of: errno))")
            }
        }
    }

    /// The same, but an error means that Redis is of no use.
    func value(_ words: [String]) throws(RedisTrouble) -> RedisValue {
        let value = try call(words)
        guard case .error(let message) = value else { return value }
        let trouble = RedisTrouble(reason: "\(place): \(words.first ?? ""): \(message)")
        self.trouble = trouble
        throw trouble
    }

    private func lost() -> RedisTrouble {
        let text = withUnsafeBytes(of: context.pointee.errstr) { bytes in
            ForeignText.shown(bytes.prefix { $0 != 0 })
        }
        let isLate = context.pointee.err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK)
        let reason = isLate ? "no answer within \(timeoutMs) ms" : text
        return RedisTrouble(reason: "\(place): \(reason)")
    }

    private static func value(_ reply: ReplyView) -> RedisValue {
        if let integer = reply.integer { return .integer(integer) }
        if let text = reply.text { return .text(text) }
        if let error = reply.error { return .error(ForeignText.shown(error)) }
        guard reply.elementCount != nil else { return .null }
        return .array(reply.elements.map(value))
    }
}
