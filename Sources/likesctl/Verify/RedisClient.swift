import CHiredis
import Glibc
import LikesCore

/// What Redis answered.
enum RedisValue: Equatable {
    case null
    case integer(Int64)
    case text(String)
    case array([RedisValue])
    case error(String)
}

/// Why Redis can't be asked.
struct RedisTrouble: Error {
    var reason: String
}

/// One connection to Redis, asked and waited for. Once it has failed, it stays so.
final class RedisClient {
    /// Milliseconds to connect, and to wait for an answer.
    static let timeoutMs = 5_000
    /// Items in one command.
    static let itemsMax = 500

    private let context: UnsafeMutablePointer<redisContext>
    private let place: String
    private var trouble: RedisTrouble?

    init(_ endpoint: RedisEndpoint) throws(RedisTrouble) {
        let timeout = timeval(tv_sec: Self.timeoutMs / 1_000, tv_usec: Self.timeoutMs % 1_000 * 1_000)
        place = endpoint.maskedURL
        let opened =
            switch endpoint.address {
            case .tcp(let host, let port): redisConnectWithTimeout(host, Int32(port), timeout)
            case .unix(let path): redisConnectUnixWithTimeout(path, timeout)
            }
        guard let opened else { throw RedisTrouble(reason: "no memory for a connection to \(endpoint.maskedURL)") }
        context = opened
        guard opened.pointee.err == 0, redisSetTimeout(opened, timeout) == REDIS_OK else { throw lost() }
        if let password = endpoint.password {
            let words = ["AUTH"] + (endpoint.username.map { [$0] } ?? []) + [password]
            try demand(words, "AUTH") { endpoint.redacted($0) }
        }
        if endpoint.database != 0 { try demand(["SELECT", String(endpoint.database)], "SELECT") }
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
        let lengths = words.map(\.utf8.count)
        // The words are copied before this returns.
        let isSent = CStrings.with(words) { pointers in
            var pointers = Array(UnsafeBufferPointer(start: pointers, count: words.count))
            return redisAppendCommandArgv(context, Int32(words.count), &pointers, lengths) == REDIS_OK
        }
        var answer: UnsafeMutableRawPointer?
        guard isSent, redisGetReply(context, &answer) == REDIS_OK, let answer else {
            let trouble = lost()
            self.trouble = trouble
            throw trouble
        }
        defer { freeReplyObject(answer) }
        return Self.value(of: answer.assumingMemoryBound(to: redisReply.self).pointee)
    }

    /// The same, where an error means that Redis is of no use.
    func value(_ words: [String]) throws(RedisTrouble) -> RedisValue {
        let value = try call(words)
        guard case .error(let message) = value else { return value }
        let trouble = RedisTrouble(reason: "\(place): \(words.first ?? ""): \(message)")
        self.trouble = trouble
        throw trouble
    }

    private func lost() -> RedisTrouble {
        let text = withUnsafeBytes(of: context.pointee.errstr) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        let isLate = context.pointee.err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK)
        let reason = isLate ? "no answer within \(Self.timeoutMs) ms" : text
        return RedisTrouble(reason: "\(place): \(reason)")
    }

    private static func value(of reply: redisReply) -> RedisValue {
        switch reply.type {
        case REDIS_REPLY_NIL: .null
        case REDIS_REPLY_INTEGER: .integer(reply.integer)
        case REDIS_REPLY_ARRAY:
            .array(
                UnsafeBufferPointer(start: reply.element, count: reply.elements).map { element in
                    element.map { value(of: $0.pointee) } ?? .null
                })
        case REDIS_REPLY_ERROR: .error(text(of: reply))
        default: .text(text(of: reply))
        }
    }

    private static func text(of reply: redisReply) -> String {
        guard let start = reply.str else { return "" }
        return String(decoding: UnsafeRawBufferPointer(start: start, count: reply.len), as: UTF8.self)
    }
}
