import CHiredis
import LikesCore
import LikesProtocol
import LikesSettings
import LikesStorage

/// The owner of a connection, and what it is told.
protocol RedisConnectionOwner: AnyObject {
    /// Commands may be sent from now on.
    func opened()
    /// The reply to the next command, in the order they were sent, or a message of a subscription.
    func received(_ reply: ReplyView)
    /// It could not be made, or is gone, and with it everything unanswered.
    func closed(_ failure: BackendFailure)
}

/// One authenticated connection to the server of REDIS_URL. It does not know what it is used for.
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
    private let kind: Reading.Kind
    private let configuration: Configuration
    private var state = State.idle
    private var socket: RedisSocket?
    private let lookup: NameLookup
    /// Which of a name's addresses comes next.
    private var attempts = 0

    /// `kind`: what arrives on it.
    init(owner: any RedisConnectionOwner, _ kind: Reading.Kind, loop: EventLoop, configuration: Configuration) {
        self.owner = owner
        self.kind = kind
        self.loop = loop
        self.configuration = configuration
        var names: [String] = []
        if case .tcp(let host, _) = configuration.redis.address, NameLookup.isName(host) { names = [host] }
        lookup = NameLookup(names, loop: loop)
    }

    // MARK: Coming and going

    /// Begins to connect, once the host's addresses are known.
    func connect() {
        precondition(socket == nil, "a second connection of one kind to Redis")
        state = .resolving
        do {
            try lookup.start { [unowned self] answer in self.connect(answer) }
        } catch {
            giveUp(error.message)
        }
    }

    private func connect(_ answer: NameLookup.Answer) {
        state = .connecting
        switch configuration.redis.address {
        case .unix(let path): open(RedisSocket.unix(path))
        case .tcp(let host, let port):
            switch answer[host] {
            case nil: open(RedisSocket.tcp(host, port: port))
            case .failure(let failure): giveUp(failure.text, next: advice.name(host, of: .redisURL))
            case .success(let addresses):
                guard !addresses.isEmpty else {
                    return giveUp("\(host) has no address", next: advice.name(host, of: .redisURL))
                }
                attempts += 1
                open(RedisSocket.tcp(addresses[(attempts - 1) % addresses.count], port: port))
            }
        }
    }

    private func open(_ opened: UnsafeMutablePointer<redisContext>?) {
        guard let opened else { return giveUp("no memory for a connection") }
        guard opened.pointee.err == 0 else {
            let reason = RedisSocket.reason(opened)
            redisFree(opened)
            return giveUp(reason)
        }
        do {
            socket = try RedisSocket(opened, kind, loop: loop) { [unowned self] event in
                switch event {
                case .connected: self.made()
                case .reply(let reply): self.received(reply)
                case .failed(let reason): self.giveUp(reason)
                case .misspoke(let reason): self.giveUp(unexpected: reason)
                }
            }
        } catch {
            redisFree(opened)
            giveUp(error.message)
        }
    }

    /// Closes without telling the owner.
    func disconnect() {
        state = .idle
        lookup.forget()
        socket?.close()
        socket = nil
    }

    private var advice: Advice { Advice(configuration, on: .measured()) }

    /// Closes for this reason, and tells the owner once.
    func giveUp(_ reason: String, next: String? = nil) {
        if case .idle = state { return }
        disconnect()
        owner.closed(.unreachable("\(place): \(reason)", next: next ?? advice.redis(reason)))
    }

    /// The same for something that no Redis sends.
    func giveUp(unexpected reason: String) {
        if case .idle = state { return }
        disconnect()
        owner.closed(.unexpected("\(place): \(reason)", next: advice.redis(reason)))
    }

    /// The same for the answer to a step: an error, or not an answer of its kind.
    func giveUp(_ step: String, error: String?, or reason: String = noAnswer) {
        if let error { giveUp("\(step): \(error)") } else { giveUp(unexpected: "\(step): \(reason)") }
    }

    private var place: String {
        switch configuration.redis.address {
        case .tcp(let host, let port): "\(host):\(port)"
        case .unix(let path): path
        }
    }

    private func made() {
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
        send(command)
    }

    // MARK: Commands and replies

    /// Without a connection nothing is sent: its end was reported, or will be.
    func send(_ command: borrowing RedisCommand) {
        guard let socket else { return }
        if !socket.append(command.bytes) {
            giveUp("it did not accept \(EdgeLimits.redisOutputBytesMax) bytes of commands")
        }
    }

    private func received(_ reply: ReplyView) {
        switch state {
        // Before anything was asked.
        case .idle, .resolving, .connecting: giveUp(unexpected: Self.unasked)
        case .authenticating:
            if let error = reply.error.map({ String(decoding: $0, as: UTF8.self) }) {
                return giveUp("AUTH: \(ForeignText.shown(configuration.redis.redacted(error)))")
            }
            guard reply.status != nil else { return giveUp(unexpected: "AUTH: \(Self.noAnswer)") }
            state = .open
            owner.opened()
        case .open:
            // Such a server answers nothing useful until it is another one, or in another state.
            if let error = reply.errorText, RedisError.isOfServer(error) { return giveUp(error) }
            owner.received(reply)
        }
    }

    /// Writes what gathered in this turn.
    func flush() { socket?.write() }

    /// No Redis sends this.
    static let unasked = "it sent an unrequested answer"
    static let noAnswer = "an answer that does not fit its call"
}
