import CHiredis
import Glibc
import LikesCore
import LikesProtocol

/// The connection to Redis: performs the core's calls, and reports their answers, its coming and its going.
///
/// Replies come in the order of commands, so what they belong to is a queue.
final class RedisLink {
    private enum State {
        case idle
        case connecting
        /// Replies of the handshake still to come.
        case preparing(Int)
        case ready
    }

    /// What a reply belongs to.
    private enum Sent {
        /// A step of the handshake, with its name for the message.
        case step(StaticString)
        case load(Script)
        case slice(RedisSlice)
    }

    private let host: CoreHost
    private let loop: EventLoop
    private let configuration: Configuration
    private var state = State.idle
    private var context: UnsafeMutablePointer<redisAsyncContext>?
    private var adapter: RedisAdapter?
    private var sent = Ring<Sent>()
    private var answers: [CallID: RedisAnswer] = [:]
    private var hashes = [[UInt8]](repeating: [], count: Script.allCases.count)
    private var command: RedisCommand

    init(host: CoreHost, loop: EventLoop, configuration: Configuration) {
        self.host = host
        self.loop = loop
        self.configuration = configuration
        command = RedisCommand(types: configuration.itemTypes)
    }

    // MARK: Coming and going

    /// Begins to connect. Resolving a host's name blocks, in hiredis as in libpq: use an address, or a resolver on
    /// this host.
    func connect() {
        precondition(context == nil, "a second connection to Redis")
        state = .connecting
        let opened =
            switch configuration.redis.address {
            case .tcp(let host, let port): redisAsyncConnect(host, Int32(port))
            case .unix(let path): redisAsyncConnectUnix(path)
            }
        guard let opened else { return fail("no memory for a connection") }
        guard opened.pointee.err == 0 else {
            let reason = RedisLink.reason(opened)
            redisAsyncFree(opened)
            return fail(reason)
        }
        context = opened
        opened.pointee.data = Unmanaged.passUnretained(self).toOpaque()
        do {
            adapter = try RedisAdapter(opened, loop: loop) { [weak self] in
                self?.context = nil
                self?.adapter = nil
            }
        } catch {
            context = nil
            redisAsyncFree(opened)
            return fail(error.message)
        }
        redisAsyncSetDisconnectCallback(opened) { context, _ in
            guard let context, let link = RedisLink.of(context) else { return }
            link.fail(RedisLink.reason(context))
        }
        // Asks to be told of writability, therefore after the adapter is there.
        redisAsyncSetConnectCallback(opened) { context, status in
            guard let context, let link = RedisLink.of(context) else { return }
            if status == REDIS_OK { link.prepare() } else { link.fail(RedisLink.reason(context)) }
        }
    }

    /// Closes without a word to the core. Never called from within hiredis, which frees at once then.
    func disconnect() {
        forget()
        if let context { redisAsyncFree(context) }
    }

    /// Writes what gathered in this turn, at once instead of after another wait for the socket.
    func flush() {
        switch state {
        case .preparing, .ready: adapter?.writeIfWanted()
        case .idle, .connecting: break
        }
        adapter?.apply()
    }

    private func fail(_ reason: String) {
        if case .idle = state { return }
        forget()
        let place =
            switch configuration.redis.address {
            case .tcp(let host, let port): "\(host):\(port)"
            case .unix(let path): path
            }
        host.deliver { core, now, actions in
            core.lost(.redis, .unreachable("\(place): \(reason)"), now: now, into: &actions)
        }
    }

    private func forget() {
        state = .idle
        sent.removeAll()
        answers.removeAll(keepingCapacity: true)
    }

    private static func of(_ context: UnsafePointer<redisAsyncContext>) -> RedisLink? {
        context.pointee.data.map { Unmanaged<RedisLink>.fromOpaque($0).takeUnretainedValue() }
    }

    private static func reason(_ context: UnsafePointer<redisAsyncContext>) -> String {
        let text = withUnsafeBytes(of: context.pointee.c.errstr) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return text.isEmpty ? "the connection was closed" : text
    }

    // MARK: The handshake

    private func prepare() {
        guard let context else { return }
        // On a Unix socket it fails, and hiredis then takes the whole connection for broken.
        if case .tcp = configuration.redis.address { redisEnableKeepAlive(&context.pointee.c) }
        state = .preparing(0)
        let endpoint = configuration.redis
        if let password = endpoint.password {
            command.begin(words: endpoint.username == nil ? 2 : 3)
            command.word("AUTH")
            if let username = endpoint.username { command.word(username.utf8) }
            command.word(password.utf8)
            sendStep(.step("AUTH"))
        }
        if endpoint.database != 0 {
            command.begin(words: 2)
            command.word("SELECT")
            command.word(Int64(endpoint.database))
            sendStep(.step("SELECT"))
        }
        for script in Script.allCases {
            writeLoad(script)
            sendStep(.load(script))
        }
    }

    private func writeLoad(_ script: Script) {
        command.begin(words: 3)
        command.word("SCRIPT")
        command.word("LOAD")
        command.word(script.text)
    }

    private func sendStep(_ step: Sent) {
        if case .preparing(let left) = state { state = .preparing(left + 1) }
        send(step)
    }

    /// Sends what `command` holds.
    private func send(_ what: Sent) {
        guard let context else { return }
        sent.append(what)
        let status = command.bytes.withUnsafeBytes { bytes in
            redisAsyncFormattedCommand(
                context,
                { context, reply, _ in
                    guard let context, let reply, let link = RedisLink.of(context) else { return }
                    link.received(RedisReply(UnsafePointer(reply.assumingMemoryBound(to: redisReply.self))))
                }, nil, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        if status != REDIS_OK { failAndClose("hiredis takes no more commands") }
    }

    /// hiredis frees at once, or after the callback it is in.
    private func failAndClose(_ reason: String) {
        fail(reason)
        if let context { redisAsyncFree(context) }
    }

    // MARK: Calls

    /// Sends the slices of jobs; the call's answer follows when all of them have come back. Without a connection
    /// the core has given the call up already, or will do so when it hears that the connection is lost.
    func perform(_ call: CallID?, _ jobs: [RedisJob]) {
        guard case .ready = state else { return }
        let slices = jobs.flatMap(\.slices)
        if let call {
            guard !slices.isEmpty else { return finish(call, jobs.first, RedisAnswer(slicesLeft: 0)) }
            answers[call] = RedisAnswer(slicesLeft: slices.count)
        }
        for slice in slices { send(slice) }
    }

    private func send(_ slice: RedisSlice) {
        slice.write(to: &command, hash: slice.script.map { hashes[$0.rawValue] } ?? [], configuration: configuration)
        send(.slice(slice))
    }

    private func received(_ reply: RedisReply) {
        // Replies to what was given up before the connection was closed.
        if case .idle = state { return }
        guard let what = sent.popFirst() else { preconditionFailure("a reply from Redis to no command") }
        switch what {
        case .step(let name):
            if let error = reply.error { return failAndClose("\(name): \(error)") }
            finishStep()
        case .load(let script):
            if let hash = reply.string { hashes[script.rawValue] = hash }
            if case .preparing = state, let error = reply.error { return failAndClose("SCRIPT LOAD: \(error)") }
            finishStep()
        case .slice(let slice): received(reply, to: slice)
        }
    }

    private func finishStep() {
        guard case .preparing(let left) = state else { return }
        state = left > 1 ? .preparing(left - 1) : .ready
        if left == 1 { host.deliver { core, now, actions in core.connected(.redis, now: now, into: &actions) } }
    }

    private func received(_ reply: RedisReply, to slice: RedisSlice) {
        let error = reply.error.map(RedisLink.withoutPlace)
        if let error, error.hasPrefix("NOSCRIPT"), !slice.isRepeated, let script = slice.script {
            // Flushed, or another server behind the same address. A load that fails makes the slice fail again.
            writeLoad(script)
            send(.load(script))
            var again = slice
            again.isRepeated = true
            return send(again)
        }
        guard let call = slice.job.call else {
            // The counters stay as they were, which their version and TTL allow for.
            if let error { host.actions.append(.log(.debug, "Redis did not take counters: \(error)")) }
            return
        }
        guard var answer = answers.removeValue(forKey: call) else {
            preconditionFailure("a reply from Redis to no call")
        }
        answer.slicesLeft -= 1
        if let error { answer.failure = answer.failure ?? error } else { answer.take(reply, of: slice) }
        if answer.slicesLeft > 0 {
            answers[call] = answer
        } else {
            finish(call, slice.job, answer)
        }
    }

    /// Redis adds where in a script an error came up. The same trouble is to read the same wherever it came up.
    private static func withoutPlace(_ error: String) -> String {
        let mark = Array(" script: ".utf8)
        let text = Array(error.utf8)
        guard let place = text.indices.first(where: { text[$0...].starts(with: mark) }) else { return error }
        return String(decoding: text[..<place], as: UTF8.self)
    }

    private func finish(_ call: CallID, _ job: RedisJob?, _ answer: RedisAnswer) {
        host.deliver { core, now, actions in
            if let failure = answer.failure {
                core.redisCallFailed(call, failure, now: now, into: &actions)
                return
            }
            switch job {
            case .admit: core.admitted(call, answer.verdicts, now: now, into: &actions)
            case .readCounters: core.countersRead(call, answer.counters, now: now, into: &actions)
            case .setCounters, .keepRecent, nil: core.wroteThrough(call, now: now, into: &actions)
            }
        }
    }
}
