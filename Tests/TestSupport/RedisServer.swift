import Foundation
import LikesProtocol
import LikesSettings
import LikesStorage

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
    private let socket: Int32
    private var reader = ReplyReader(limits: .ofLikesd)
    let configuration: Configuration
    let channels = RedisChannels(database: 0, host: 0xABC)
    private var hashes: [[UInt8]] = []
    private var command: RedisCommand

    /// nil: nobody is there yet.
    init?(path: String, configuration: Configuration) {
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        self.configuration = configuration
        command = RedisCommand(types: configuration.itemTypes)
        guard let address = SocketAddress(path: path), address.withPointer({ connect(socket, $0, $1) }) == 0 else {
            return nil
        }
        for script in Script.allCases {
            guard let hash = try? run("SCRIPT", "LOAD", script.text(.plain)) else { return nil }
            hashes.append(Array(hash.utf8))
        }
    }

    deinit { close(socket) }

    /// Any command; arrays and nothing as text.
    @discardableResult
    func run(_ words: String...) throws -> String {
        command.begin(words: words.count)
        for word in words { command.word(word.utf8) }
        return try reply { Self.text($0) }
    }

    func perform(_ job: RedisJob, deadlineMs: Int64 = .max) throws -> RedisReplies {
        try perform([job], deadlineMs: deadlineMs)
    }

    /// The jobs of one call as the daemon sends them: all of their slices.
    func perform(_ jobs: [RedisJob], deadlineMs: Int64 = .max) throws -> RedisReplies {
        let slices = jobs.flatMap { $0.slices(deadlineMs: deadlineMs) }
        var replies = RedisReplies(slicesLeft: slices.count)
        for slice in slices { try perform(slice, into: &replies) }
        return replies
    }

    private func perform(_ slice: RedisSlice, into replies: inout RedisReplies) throws {
        let hash = slice.script.map { hashes[$0.rawValue] } ?? []
        slice.write(
            to: &command, hash: hash, configuration: configuration, at: RedisSlice.Place(channels: channels))
        try reply { replies.take($0, of: slice) }
    }

    func beat(_ number: UInt64) throws {
        command.beat(number, on: channels)
        _ = try reply { $0.integer }
    }

    /// The next message of a subscription made with `run`: its channel and what it says.
    func message<Value>(_ body: (String, ArraySlice<UInt8>) -> Value) throws -> Value {
        let reply = try next()
        guard let channel = reply.element(1)?.text, let payload = reply.element(2)?.string else {
            throw Failure(text: "no message")
        }
        return body(channel, payload)
    }

    private func reply<Value>(_ body: (ReplyView) -> Value) throws -> Value {
        var rest = command.bytes[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent > 0 else { throw Failure(text: "Redis takes no command: \(errno)") }
            rest = rest.dropFirst(sent)
        }
        return body(try next())
    }

    private func next() throws -> ReplyView {
        var chunk = [UInt8](repeating: 0, count: EdgeLimits.readBytes)
        while true {
            if let reply = try reader.next() { return reply }
            let count = recv(socket, &chunk, chunk.count, 0)
            guard count > 0 else { throw Failure(text: "no answer from Redis: \(errno)") }
            reader.append(chunk[..<count])
        }
    }

    private static func text(_ reply: ReplyView) -> String {
        if let text = reply.text { return text }
        if let integer = reply.integer { return String(integer) }
        if let error = reply.errorText { return error }
        let elements = (0..<(reply.elementCount ?? 0)).compactMap { reply.element($0).map(text) }
        return elements.joined(separator: " ")
    }
}
