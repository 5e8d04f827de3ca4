import LikesCore
import LikesProtocol
import LikesSettings
import LikesStorage

/// The connection to a Redis primary that asks: makes the core's calls, and reports their answers and the connection's
/// coming and going.
///
/// Replies arrive in the order of commands, so a queue says what they belong to.
final class RedisLink: RedisConnectionOwner {
    private enum State {
        case idle
        /// Replies still to come in the handshake's present part.
        case preparing(Part, left: Int)
        case ready
    }

    /// The parts of the handshake.
    private enum Part {
        /// What the server is, and the scripts.
        case server
        /// How far scripts of a cluster's node reach.
        case scripts
        /// Last and alone: an answer that waits behind others says too little.
        case time
    }

    /// What a reply belongs to.
    private enum Sent {
        /// A step of the handshake, with its name for the message.
        case step(StaticString)
        case info(StaticString)
        case load(Script, Script.Form)
        case time(askedAt: Instant)
        case nodeID
        case probe(isDeclared: Bool)
        case asking
        /// The server's name, for the call that compares the marker with it.
        case name(CallID, RedisRequest)
        case slice(CallID, RedisSlice)
        /// The subscriber hears it again, or not.
        case beat
    }

    private struct Host {
        /// Of this process, drawn at random.
        let number: UInt64
        /// The server that REDIS_URL names turned out to be a node of a cluster.
        let clusterFound: () -> Void
    }

    /// What this connection has shown of the server.
    private struct Peer {
        var facts = RedisServerFacts()
        var clock = RedisClock()
        var reach = ScriptReach()
        /// The key that showed last how far scripts reach, or did not show it.
        var probed: [UInt8] = []
        var hashes = [[UInt8]](repeating: [], count: Script.allCases.count * Script.Form.allCases.count)
        /// Why the last ASKING was refused; nil: it was not.
        var askingRefusal: String?
    }

    private let place: NodePlace
    private let driver: CoreDriver
    private var configuration: Configuration
    private let host: Host
    private let connection: RedisConnection
    private var state = State.idle
    /// Which node of a cluster has to be there; nil: it is not known to be one.
    private var node: ClusterView.Node?
    private var at: RedisSlice.Place
    private var peer = Peer()
    private var sent = Ring<Sent>()
    private var underWay: [CallID: (request: RedisRequest, replies: RedisReplies)] = [:]
    private var command: RedisCommand

    /// `number`: of this process, drawn at random.
    init(
        _ place: NodePlace, driver: CoreDriver, loop: EventLoop, configuration: Configuration, target: RedisTarget,
        number: UInt64, clusterFound: @escaping () -> Void
    ) {
        self.place = place
        self.driver = driver
        self.configuration = configuration
        host = Host(number: number, clusterFound: clusterFound)
        at = RedisSlice.Place(channels: RedisChannels(database: configuration.redis.database, host: number))
        connection = RedisConnection(.redis, to: target, loop: loop, types: configuration.itemTypes)
        command = RedisCommand(types: configuration.itemTypes)
        connection.owner = self
    }

    /// Later calls use these settings. The connection's own settings need a restart.
    func configure(_ configuration: Configuration) { self.configuration = configuration }

    // MARK: Coming and going

    func connect() {
        node = driver.ask { $0.clusterNode(place) }
        at.channels = RedisChannels(database: configuration.redis.database, host: host.number, node: node?.id)
        // The core names a node by its address.
        connection.namesPlace = node == nil
        connection.connect()
    }

    /// Closes without telling the core.
    func disconnect() {
        forget()
        connection.disconnect()
    }

    /// Gives up the connection, unless it leads to this server.
    func leave(_ failure: BackendFailure, unlessAt primary: NamedPrimary) {
        connection.leave(failure, unlessAt: primary)
    }

    func flush() { connection.flush() }

    func closed(_ failure: BackendFailure) {
        forget()
        driver.deliver { core, turn in core.lost(.redis(place), failure, &turn) }
    }

    private func forget() {
        state = .idle
        sent.removeAll()
        underWay.removeAll(keepingCapacity: true)
    }

    // MARK: The handshake

    func opened() {
        // The connection ended while a call's slices were being sent.
        forget()
        state = .preparing(.server, left: 0)
        peer = Peer(reach: ScriptReach(isClusterNode: node != nil))
        let database = configuration.redis.database
        // First, since a Sentinel knows none of the others.
        sendInfo("server")
        if node != nil { sendNodeID() } else if database != 0 { sendStep("SELECT", Int64(database)) }
        sendInfo("replication")
        for (script, form) in RedisStyle.scripts(ofCluster: node != nil) {
            command.begin(words: 3)
            command.word("SCRIPT")
            command.word("LOAD")
            command.word(script.text(form).utf8)
            send(.load(script, form))
        }
    }

    private func sendNodeID() {
        command.begin(words: 2)
        command.word("CLUSTER")
        command.word("MYID")
        send(.nodeID)
    }

    private func sendStep(_ name: StaticString, _ argument: Int64) {
        command.begin(words: 2)
        command.word(name)
        command.word(argument)
        send(.step(name))
    }

    private func sendInfo(_ section: StaticString, _ sent: Sent? = nil) {
        command.begin(words: 2)
        command.word("INFO")
        command.word(section)
        send(sent ?? .info(section))
    }

    private func sendTime() {
        command.begin(words: 1)
        command.word("TIME")
        send(.time(askedAt: driver.now))
    }

    /// Whether scripts may read a key that was not declared, and one that was. `part`: nil: the handshake is over.
    private func sendProbes(in part: Part? = nil) {
        if let part { state = .preparing(part, left: 0) }
        peer.probed = at.marker
        let hash = peer.hashes[Self.place(.probe, .plain)]
        for isDeclared in [false, true] {
            command.begin(words: 4)
            command.word("EVALSHA")
            command.word(hash)
            command.word(isDeclared ? 1 : 0)
            command.word(at.marker)
            send(.probe(isDeclared: isDeclared))
        }
    }

    /// Sends the contents of `command`.
    private func send(_ what: Sent) {
        if case .preparing(let part, let left) = state { state = .preparing(part, left: left + 1) }
        sent.append(what)
        connection.send(command)
    }

    /// One reply of the handshake was taken.
    private func finishStep() {
        guard case .preparing(let part, let left) = state else { return }
        state = .preparing(part, left: left - 1)
        guard left == 1 else { return }
        switch part {
        case .server:
            guard isFit(peer.facts.reasonAgainst(configuration, isKnownNode: node != nil)) else { return }
            if node != nil { return sendProbes(in: .scripts) }
            state = .preparing(.time, left: 0)
            sendTime()
        case .scripts:
            // The marker may have got another place meanwhile.
            if !peer.reach.isKnown, peer.probed != at.marker { return sendProbes(in: .scripts) }
            state = .preparing(.time, left: 0)
            sendTime()
        case .time:
            state = .ready
            driver.deliver { core, turn in core.redisConnected(place, &turn) }
        }
    }

    /// False: the server is of no use, and the connection was given up.
    private func isFit(_ reasonAgainst: RedisServerFacts.ReasonAgainst?) -> Bool {
        guard let against = reasonAgainst else { return true }
        connection.giveUp(against.reason, next: against.next)
        if against.isMoved { driver.deliver { core, turn in core.slotsMoved(&turn) } }
        return false
    }

    private var advice: Advice { Advice(configuration, on: .measured()) }

    /// The node's marker is at this key from now on.
    func setMarker(_ key: String) {
        at.marker = Array(key.utf8)
        if case .ready = state, !peer.reach.isKnown { sendProbes() }
    }

    // MARK: Calls

    /// Sends the slices of a call; its answer follows when all of them have come back. Without a connection the core
    /// has given up the call already, or will when it hears that the connection is lost.
    func perform(_ call: CallID, _ request: RedisRequest) {
        guard case .ready = state else { return }
        // A primary has another name once its first replica follows it. Of one Redis, whose data is identified once a
        // connection, the handshake has just told it.
        if node != nil, case .identify(IdentifyRequest(new: nil)) = request {
            return sendInfo("replication", .name(call, request))
        }
        begin(call, request)
    }

    private func begin(_ call: CallID, _ request: RedisRequest) {
        guard let server = peer.facts.name else { return }
        let deadlineMs = peer.clock.deadlineMs(driver.now, plus: configuration.redisCallMsMax)
        let slices = RedisJob.jobs(of: request, on: server).flatMap {
            $0.slices(deadlineMs: deadlineMs, peer.reach.style)
        }
        let replies = RedisReplies(slicesLeft: slices.count, host: connection.host)
        guard !slices.isEmpty else { return finish(call, request, replies) }
        underWay[call] = (request, replies)
        for slice in slices { send(slice, of: call) }
    }

    /// Publishes a number on the host's own channel. Now and then it reads Redis' clock, too: the two clocks may drift
    /// apart.
    func beat(_ number: UInt64) {
        guard case .ready = state else { return }
        command.beat(number, on: at.channels)
        send(.beat)
        // The marker's slot may have been on its way when it was tried.
        if !peer.reach.isKnown { sendProbes() }
        if peer.clock.isToBeRead() { sendTime() }
    }

    private func send(_ slice: RedisSlice, of call: CallID) {
        if slice.isAsking {
            command.asking()
            send(.asking)
        }
        var hash: [UInt8] = []
        if let script = slice.script, let form = slice.form { hash = peer.hashes[Self.place(script, form)] }
        slice.write(to: &command, hash: hash, configuration: configuration, at: at)
        send(.slice(call, slice))
    }

    // MARK: Replies

    func received(_ reply: ReplyView) {
        guard let what = sent.popFirst() else { return connection.giveUp(unexpected: RedisConnection.unasked) }
        let error = reply.errorText
        switch what {
        case .step(let name):
            guard reply.status != nil else {
                return connection.giveUp("\(name)", error: error)
            }
            finishStep()
        case .info(let section):
            guard let text = reply.text else {
                return connection.giveUp("INFO \(section)", error: error, or: "no text")
            }
            peer.facts.take(text)
            if "\(section)" == "server" {
                guard isFit(peer.facts.reasonAgainstKind(configuration, isKnownNode: node != nil)) else { return }
                // Until the core leaves this connection for those to the nodes, the handshake does not end.
                if peer.facts.isClusterNode, node == nil { return host.clusterFound() }
            }
            finishStep()
        case .nodeID:
            guard let id = reply.text else { return connection.giveUp("CLUSTER MYID", error: error, or: "no text") }
            guard id == node?.id else {
                return connection.giveUp(
                    "another node of a Redis Cluster answers there: \(ForeignText.shown(id))", next: advice.otherNode)
            }
            finishStep()
        case .probe(let isDeclared):
            guard reply.integer != nil || error != nil else {
                return connection.giveUp(unexpected: "EVALSHA: \(RedisConnection.noAnswer)")
            }
            if let refusal = peer.reach.take(error, isDeclared: isDeclared) {
                return connection.giveUp("EVALSHA: \(refusal)")
            }
            finishStep()
        case .load(let script, let form):
            guard let hash = reply.string, hash.count == Script.hashBytes else {
                return connection.giveUp("SCRIPT LOAD", error: error, or: "no hash")
            }
            peer.hashes[Self.place(script, form)] = Array(hash)
            finishStep()
        case .asking:
            guard reply.status != nil || error != nil else {
                return connection.giveUp(unexpected: "ASKING: \(RedisConnection.noAnswer)")
            }
            peer.askingRefusal = error
        case .time(let askedAt):
            guard let seconds = reply.element(0)?.wholeNumber, let rest = reply.element(1)?.wholeNumber,
                let time = RedisClock.time(seconds: seconds, microseconds: rest)
            else {
                return connection.giveUp("TIME", error: error, or: "no time")
            }
            // The exact moment: the turn began earlier.
            peer.clock.learn(time, askedAt: askedAt, heardAt: .now)
            finishStep()
        case .name(let call, let request):
            guard let text = reply.text else {
                return connection.giveUp("INFO replication", error: error, or: "no text")
            }
            peer.facts.take(text)
            if isFit(peer.facts.reasonAgainst(configuration, isKnownNode: true)) { begin(call, request) }
        case .slice(let call, let slice): received(reply, to: slice, of: call)
        case .beat:
            guard reply.integer != nil || error != nil else {
                return connection.giveUp(unexpected: "PUBLISH: \(RedisConnection.noAnswer)")
            }
            // The core waits for this number, which will not be heard.
            if let error { driver.actions.append(.log(.debug, "Redis accepts no messages: \(error)")) }
        }
    }

    private func received(_ reply: ReplyView, to slice: RedisSlice, of call: CallID) {
        guard var answered = underWay.removeValue(forKey: call) else {
            preconditionFailure("a reply from Redis to no call")
        }
        if slice.isAsking, let refusal = peer.askingRefusal {
            answered.replies.refuse("ASKING: \(refusal)")
        } else {
            answered.replies.take(reply, of: slice)
        }
        let more = answered.replies.takeMore()
        if answered.replies.slicesLeft > 0 {
            underWay[call] = answered
            for slice in more { send(slice, of: call) }
        } else {
            finish(call, answered.request, answered.replies)
        }
    }

    private func finish(_ call: CallID, _ request: RedisRequest, _ replies: RedisReplies) {
        // If one of the clocks was set, every call would be late.
        if replies.failure == .late { sendTime() }
        let answer = replies.answer(to: request, of: peer.facts.name ?? "")
        driver.deliver { core, turn in
            core.answered(redis: place, call, answer, &turn)
            if replies.hasMoved { core.slotsMoved(&turn) }
        }
    }

    /// Of a script's hash.
    private static func place(_ script: Script, _ form: Script.Form) -> Int {
        script.rawValue * Script.Form.allCases.count + form.rawValue
    }
}
