import CHiredis
import CSystemd
import Glibc
import LikesCore

/// Who a connection belongs to, and what it tells.
protocol RedisConnectionOwner: AnyObject {
    /// Commands may be sent from now on.
    func opened()
    /// The reply to the next command, in the order they were sent, or a message of a subscription.
    func received(_ reply: RedisReply)
    /// It could not be made, or is gone, and with it all that was not answered.
    func closed(_ failure: BackendFailure)
}

/// One connection to the server of REDIS_URL, authenticated: hiredis and its socket, without a word of what they are
/// used for.
final class RedisConnection {
    private enum State {
        case idle
        case resolving
        case connecting
        case authenticating
        case open
    }

    private unowned let owner: any RedisConnectionOwner
    private let loop: EventLoop
    private let configuration: Configuration
    private var state = State.idle
    private var context: UnsafeMutablePointer<redisAsyncContext>?
    private var adapter: RedisAdapter?
    private let lookup: NameLookup
    /// Which of a name's addresses comes next.
    private var attempts = 0

    init(owner: any RedisConnectionOwner, loop: EventLoop, configuration: Configuration) {
        self.owner = owner
        self.loop = loop
        self.configuration = configuration
        var names: [String] = []
        if case .tcp(let host, _) = configuration.redis.address, NameLookup.isName(host) { names = [host] }
        lookup = NameLookup(names, loop: loop)
    }

    // MARK: Coming and going

    /// Begins to connect, once the host's addresses are known.
    func connect() {
        precondition(context == nil, "a second connection of one kind to Redis")
        state = .resolving
        do {
            try lookup.start { [unowned self] answer in self.connect(answer) }
        } catch {
            fail(error.message)
        }
    }

    private func connect(_ answer: NameLookup.Answer) {
        state = .connecting
        switch configuration.redis.address {
        case .unix(let path): open(redisAsyncConnectUnix(path))
        case .tcp(let host, let port):
            switch answer[host] {
            case nil: open(redisAsyncConnect(host, Int32(port)))
            case .failure(let failure): fail(failure.text, next: advice.name(host, of: .redisURL))
            case .success(let addresses):
                guard !addresses.isEmpty else {
                    return fail("\(host) has no address", next: advice.name(host, of: .redisURL))
                }
                attempts += 1
                open(redisAsyncConnect(addresses[(attempts - 1) % addresses.count], Int32(port)))
            }
        }
    }

    private func open(_ opened: UnsafeMutablePointer<redisAsyncContext>?) {
        guard let opened else { return fail("no memory for a connection") }
        guard opened.pointee.err == 0 else {
            let reason = RedisConnection.reason(opened)
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
            guard let context, let connection = RedisConnection.of(context) else { return }
            connection.fail(RedisConnection.reason(context))
        }
        // Asks to be told of writability, therefore after the adapter is there.
        redisAsyncSetConnectCallback(opened) { context, status in
            guard let context, let connection = RedisConnection.of(context) else { return }
            if status == REDIS_OK { connection.made() } else { connection.fail(RedisConnection.reason(context)) }
        }
    }

    /// Closes without a word to the owner. Never called from within hiredis, which frees at once then.
    func disconnect() {
        state = .idle
        lookup.forget()
        if let context { redisAsyncFree(context) }
    }

    /// Closes for this reason. hiredis frees at once, or after the callback it is in.
    func giveUp(_ reason: String) {
        fail(reason)
        if let context { redisAsyncFree(context) }
    }

    private var advice: Advice { Advice(configuration, on: .measured()) }

    private func fail(_ reason: String, next: String? = nil) {
        if case .idle = state { return }
        state = .idle
        lookup.forget()
        let place =
            switch configuration.redis.address {
            case .tcp(let host, let port): "\(host):\(port)"
            case .unix(let path): path
            }
        owner.closed(.unreachable("\(place): \(reason)", next: next ?? advice.redis(reason)))
    }

    private static func of(_ context: UnsafePointer<redisAsyncContext>) -> RedisConnection? {
        context.pointee.data.map { Unmanaged<RedisConnection>.fromOpaque($0).takeUnretainedValue() }
    }

    private static func reason(_ context: UnsafePointer<redisAsyncContext>) -> String {
        let text = withUnsafeBytes(of: context.pointee.c.errstr) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return text.isEmpty ? "the connection was closed" : text
    }

    private func made() {
        guard let context else { return }
        // On a Unix socket it fails, and hiredis then takes the whole connection for broken.
        if case .tcp = configuration.redis.address { redisEnableKeepAlive(&context.pointee.c) }
        let endpoint = configuration.redis
        guard let password = endpoint.password else {
            state = .open
            return owner.opened()
        }
        state = .authenticating
        var command = RedisCommand(types: configuration.itemTypes)
        command.begin(words: endpoint.username == nil ? 2 : 3)
        command.word("AUTH")
        if let username = endpoint.username { command.word(username.utf8) }
        command.word(password.utf8)
        command.end()
        send(command)
    }

    // MARK: Commands and replies

    /// A command that was ended. Without a connection nothing is sent: its end was told, or will be.
    func send(_ command: borrowing RedisCommand) {
        guard let context else { return }
        precondition(command.bytes.last == 0, "a command without end")
        let status = command.bytes.withUnsafeBytes { bytes in
            redisAsyncFormattedCommand(
                context,
                { context, reply, _ in
                    guard let context, let reply, let connection = RedisConnection.of(context) else { return }
                    connection.received(RedisReply(UnsafePointer(reply.assumingMemoryBound(to: redisReply.self))))
                }, nil, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count - 1)
        }
        if status != REDIS_OK { giveUp("hiredis takes no more commands") }
    }

    private func received(_ reply: RedisReply) {
        switch state {
        // Replies to what was given up before the connection was closed.
        case .idle, .resolving, .connecting: return
        case .authenticating:
            if let error = reply.error { return giveUp("AUTH: \(configuration.redis.redacted(error))") }
            state = .open
            owner.opened()
        case .open:
            // Such a server answers nothing of use until it is another one, or the same in another state.
            if let error = reply.error, RedisReply.isOfServer(error) { return giveUp(error) }
            owner.received(reply)
        }
    }

    /// Writes what gathered in this turn, at once instead of after another wait for the socket.
    func flush() {
        switch state {
        case .authenticating, .open: adapter?.writeIfWanted()
        case .idle, .resolving, .connecting: break
        }
        adapter?.apply()
    }
}
