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

/// Where a connection leads, who likesd is there, and what to do when it fails.
struct RedisTarget {
    enum Place {
        /// Always the same server.
        case fixed(RedisEndpoint.Address)
        /// Another one with each attempt, perhaps.
        case chosen(() -> RedisEndpoint.Address)
        /// The one that Sentinels name, for this connection.
        case named(RedisPrimary, Backend)
    }

    var place: Place
    var credentials: RedisCredentials
    /// What to do, from the words of hiredis or of the server.
    var next: (_ reason: String, RedisEndpoint.Address?) -> String?
    /// What to do about a name without an address.
    var nextForName: (String) -> String

    /// To the server that REDIS_URL or its Sentinels name, or to a cluster's node. `primary`: not nil with Sentinels.
    init(
        _ configuration: Configuration, _ primary: RedisPrimary?, for backend: Backend,
        address: @escaping () -> RedisEndpoint.Address
    ) {
        let advice = { Advice(configuration, on: .measured()) }
        credentials = configuration.redis.credentials
        next = { reason, address in advice().redis(reason, at: address) }
        nextForName = { advice().name($0, of: .redisURL) }
        switch configuration.redis.topology {
        case .server, .cluster: place = .chosen(address)
        case .sentinels:
            guard let primary else { preconditionFailure("Sentinels that nobody asks") }
            place = .named(primary, backend)
        }
    }

    /// To a node of a cluster, which is asked for all of them.
    init(_ configuration: Configuration, asking address: @escaping () -> RedisEndpoint.Address) {
        let advice = { Advice(configuration, on: .measured()) }
        place = .chosen(address)
        credentials = configuration.redis.credentials
        next = { reason, address in advice().redis(reason, at: address) }
        nextForName = { advice().name($0, of: .redisURL) }
    }

    /// To one of the Sentinels.
    init(_ configuration: Configuration, sentinel address: RedisEndpoint.Address, _ credentials: RedisCredentials) {
        let advice = { Advice(configuration, on: .measured()) }
        place = .fixed(address)
        self.credentials = credentials
        next = { reason, _ in advice().sentinel(address, reason) }
        nextForName = { advice().name($0, of: .redisURL) }
    }
}

/// One authenticated connection to a Redis server, or to a Sentinel. It does not know what it is used for.
final class RedisConnection {
    private enum State {
        case idle
        /// Sentinels are asked.
        case finding
        case resolving
        case connecting
        case authenticating
        /// Whether it is a primary, as a Sentinel said.
        case checking
        case open
    }

    /// Set before the connection is used; outlives it.
    unowned var owner: (any RedisConnectionOwner)?
    private let loop: EventLoop
    private let kind: Reading.Kind
    private let target: RedisTarget
    private let types: ItemTypes
    private var state = State.idle
    /// Where the present attempt leads, or the last one led.
    private var address: RedisEndpoint.Address?
    /// The same, where Sentinels named it.
    private var named: NamedPrimary?
    private var socket: RedisSocket?
    private let lookup: NameLookup
    /// Which of a name's addresses comes next.
    private var attempts = 0
    /// Whether failures name the address; false: whoever reports them does.
    var namesPlace = true

    /// `kind`: what arrives on it.
    init(_ kind: Reading.Kind, to target: RedisTarget, loop: EventLoop, types: ItemTypes) {
        self.kind = kind
        self.target = target
        self.loop = loop
        self.types = types
        lookup = NameLookup([], loop: loop)
    }

    // MARK: Coming and going

    /// Begins to connect, once the server and its addresses are known.
    func connect() {
        precondition(socket == nil, "a second connection of one kind to Redis")
        switch target.place {
        case .fixed(let address): resolve(address)
        case .chosen(let address): resolve(address())
        case .named(let primary, let backend):
            state = .finding
            primary.find(for: backend) { [unowned self] found in
                switch found {
                case .server(let primary):
                    self.named = primary
                    self.resolve(primary.address)
                case .failed(let failure): self.end(failure)
                }
            }
        }
    }

    private func resolve(_ address: RedisEndpoint.Address) {
        state = .resolving
        self.address = address
        if case .tcp(let host, _) = address, NameLookup.isName(host) {
            lookup.names = [host]
        } else {
            lookup.names = []
        }
        do {
            try lookup.start { [unowned self] answer in self.connect(to: address, answer) }
        } catch {
            giveUp(error.message)
        }
    }

    private func connect(to address: RedisEndpoint.Address, _ answer: NameLookup.Answer) {
        state = .connecting
        switch address {
        case .unix(let path): open(RedisSocket.unix(path))
        case .tcp(let host, let port):
            switch answer[host] {
            case nil: open(RedisSocket.tcp(host, port: port))
            case .failure(let failure): giveUp(failure.text, next: target.nextForName(host))
            case .success(let addresses):
                guard !addresses.isEmpty else {
                    return giveUp("\(host) has no address", next: target.nextForName(host))
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
        if case .named(let primary, let backend) = target.place { primary.forget(backend) }
        lookup.forget()
        socket?.close()
        socket = nil
    }

    /// Closes for this reason, and tells the owner once.
    func giveUp(_ reason: String, next: String? = nil) {
        end(.unreachable(placed(reason), next: next ?? target.next(reason, address)))
    }

    /// The same for something that no Redis sends.
    func giveUp(unexpected reason: String) {
        end(.unexpected(placed(reason), next: target.next(reason, address)))
    }

    private func end(_ failure: BackendFailure) {
        if case .idle = state { return }
        disconnect()
        // It may have failed because another server was promoted.
        if case .named(let primary, _) = target.place { primary.askSoon() }
        owner?.closed(failure)
    }

    /// Closes for this reason, unless it leads to this server.
    func leave(_ failure: BackendFailure, unlessAt primary: NamedPrimary) {
        switch state {
        case .idle, .finding: return
        case .resolving, .connecting, .authenticating, .checking, .open:
            guard named != primary else { return }
            disconnect()
            owner?.closed(failure)
        }
    }

    /// The same for the answer to a step: an error, or not an answer of its kind.
    func giveUp(_ step: String, error: String?, or reason: String = noAnswer) {
        if let error { giveUp("\(step): \(error)") } else { giveUp(unexpected: "\(step): \(reason)") }
    }

    private func placed(_ reason: String) -> String {
        namesPlace ? "\(address?.name ?? "Redis"): \(reason)" : reason
    }

    /// The host of what a node of a cluster names without one: its own.
    var hostOfNodes: String { host.isEmpty ? "127.0.0.1" : host }

    /// Where it leads: a name or an address; empty for a Unix socket.
    var host: String { if case .tcp(let host, _) = address { host } else { "" } }

    private func made() {
        guard let password = target.credentials.password else { return authenticated() }
        state = .authenticating
        var command = RedisCommand(types: types)
        command.begin(words: target.credentials.username == nil ? 2 : 3)
        command.word("AUTH")
        if let username = target.credentials.username { command.word(username.utf8) }
        command.word(password.utf8)
        send(command)
    }

    private func authenticated() {
        guard case .named = target.place else {
            state = .open
            owner?.opened()
            return
        }
        // Nothing else is sent before: what a Sentinel named may have been demoted meanwhile.
        state = .checking
        var command = RedisCommand(types: types)
        command.begin(words: 2)
        command.word("INFO")
        command.word("replication")
        send(command)
    }

    private func checked(_ reply: ReplyView) {
        guard let text = reply.text else { return giveUp("INFO replication", error: reply.errorText, or: "no text") }
        var facts = RedisServerFacts()
        facts.take(text)
        switch facts.isPrimary {
        case nil: giveUp(unexpected: "INFO replication names no role")
        case false?: giveUp("it is a replica, though the Sentinels name it the primary", next: Self.whileReplica)
        case true?:
            state = .open
            owner?.opened()
        }
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
        case .idle, .finding, .resolving, .connecting: giveUp(unexpected: Self.unasked)
        case .authenticating:
            if let error = reply.error.map({ String(decoding: $0, as: UTF8.self) }) {
                return giveUp("AUTH: \(ForeignText.shown(target.credentials.redacted(error)))")
            }
            guard reply.status != nil else { return giveUp(unexpected: "AUTH: \(Self.noAnswer)") }
            authenticated()
        case .checking: checked(reply)
        case .open:
            // Such a server answers nothing useful until it is another one, or in another state.
            if let error = reply.errorText, RedisError.isOfServer(error) { return giveUp(error) }
            owner?.received(reply)
        }
    }

    /// Writes what gathered in this turn.
    func flush() { socket?.write() }

    /// No Redis sends this.
    static let unasked = "it sent an unrequested answer"
    static let noAnswer = "an answer that does not fit its call"
    private static let whileReplica = "wait: a failover is under way, or the Sentinels will correct it"
}
