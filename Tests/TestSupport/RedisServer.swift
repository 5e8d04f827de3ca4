import CHiredis
import LikesCore
import LikesProtocol

@testable import likesd

/// A private Redis.
final class RedisServer {
    private let server: PrivateServer

    init() throws {
        server = try PrivateServer([
            "redis-server", "--port", "0", "--unixsocket", "{folder}/redis", "--save", "", "--appendonly", "no",
        ])
    }

    func connect(_ configuration: Configuration = Configuration()) throws -> RedisTester {
        try server.wait(for: "Redis") { RedisTester(path: "\(server.folder)/redis", configuration: configuration) }
    }
}

/// A connection that sends what the daemon would send, and waits for the answer.
final class RedisTester {
    private let context: UnsafeMutablePointer<redisContext>
    let configuration: Configuration
    let channels = RedisChannels(database: 0, host: 0xABC)
    private var hashes: [[UInt8]] = []
    private var command: RedisCommand

    /// nil: nobody is there yet.
    init?(path: String, configuration: Configuration) {
        guard let context = redisConnectUnix(path) else { return nil }
        self.context = context
        self.configuration = configuration
        command = RedisCommand(types: configuration.itemTypes)
        guard context.pointee.err == 0 else { return nil }
        for script in Script.allCases {
            guard let hash = try? run("SCRIPT", "LOAD", script.text.description) else { return nil }
            hashes.append(Array(hash.utf8))
        }
    }

    deinit { redisFree(context) }

    /// Any command; arrays and nothing as text.
    @discardableResult
    func run(_ words: String...) throws -> String {
        command.begin(words: words.count)
        for word in words { command.word(word.utf8) }
        return try reply { Self.text($0) }
    }

    func perform(_ job: RedisJob, deadlineMs: Int64 = .max) throws -> RedisAnswer {
        try perform([job], deadlineMs: deadlineMs)
    }

    /// The jobs of one call as the daemon sends them: all of their slices.
    func perform(_ jobs: [RedisJob], deadlineMs: Int64 = .max) throws -> RedisAnswer {
        let slices = jobs.flatMap { $0.slices(deadlineMs: deadlineMs) }
        var answer = RedisAnswer(slicesLeft: slices.count)
        for slice in slices {
            slice.write(
                to: &command, hash: slice.script.map { hashes[$0.rawValue] } ?? [], configuration: configuration,
                channels: channels)
            try reply { answer.take($0, of: slice) }
        }
        return answer
    }

    /// The next message of a subscription made with `run`: its channel and what it says.
    func message<Value>(_ body: (String, UnsafeRawBufferPointer) -> Value) throws -> Value {
        var raw: UnsafeMutableRawPointer?
        guard redisGetReply(context, &raw) == REDIS_OK, let raw else { throw Failure(text: "no message from Redis") }
        defer { freeReplyObject(raw) }
        let reply = RedisReply(UnsafePointer(raw.assumingMemoryBound(to: redisReply.self)))
        guard let channel = reply.element(1)?.text, let payload = reply.element(2)?.string else {
            throw Failure(text: "no message")
        }
        return body(channel, payload)
    }

    private func reply<Value>(_ body: (RedisReply) -> Value) throws -> Value {
        let status = command.bytes.withUnsafeBytes {
            redisAppendFormattedCommand(context, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
        }
        var raw: UnsafeMutableRawPointer?
        guard status == REDIS_OK, redisGetReply(context, &raw) == REDIS_OK, let raw else {
            throw Failure(text: "no answer from Redis")
        }
        defer { freeReplyObject(raw) }
        return body(RedisReply(UnsafePointer(raw.assumingMemoryBound(to: redisReply.self))))
    }

    private static func text(_ reply: RedisReply) -> String {
        if let text = reply.text { return text }
        if let integer = reply.integer { return String(integer) }
        if let error = reply.error { return error }
        let elements = (0..<reply.elementCount).compactMap { reply.element($0).map(text) }
        return elements.joined(separator: " ")
    }
}
