import LikesCore
import LikesProtocol
import LikesSettings
import LikesStorage

/// The connection to Redis that asks: makes the core's calls, and reports their answers and the connection's coming and
/// going.
///
/// Replies arrive in the order of commands, so a queue says what they belong to.
final class RedisLink: RedisConnectionOwner {
    private enum State {
        case idle
        /// Replies still to come in the handshake's present part.
        case preparing(Int)
        case ready
    }

    /// What a reply belongs to.
    private enum Sent {
        /// A step of the handshake, with its name for the message.
        case step(StaticString)
        case info(StaticString)
        case load(Script)
        case time(askedAt: Instant)
        case slice(CallID, RedisSlice)
        /// The subscriber hears it again, or not.
        case beat
    }

    private let driver: CoreDriver
    private var configuration: Configuration
    private let channels: RedisChannels
    private let connection: RedisConnection
    private var state = State.idle
    private var facts = RedisServerFacts()
    private var clock = RedisClock()
    private var sent = Ring<Sent>()
    private var underWay: [CallID: (request: RedisRequest, replies: RedisReplies)] = [:]
    private var hashes = [[UInt8]](repeating: [], count: Script.allCases.count)
    private var command: RedisCommand

    init(
        driver: CoreDriver, loop: EventLoop, configuration: Configuration, target: RedisTarget, channels: RedisChannels
    ) {
        self.driver = driver
        self.configuration = configuration
        self.channels = channels
        connection = RedisConnection(.redis, to: target, loop: loop, types: configuration.itemTypes)
        command = RedisCommand(types: configuration.itemTypes)
        connection.owner = self
    }

    /// Later calls use these settings. The connection's own settings need a restart.
    func configure(_ configuration: Configuration) { self.configuration = configuration }

    // MARK: Coming and going

    func connect() { connection.connect() }

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
        driver.deliver { core, turn in core.lost(.redis, failure, &turn) }
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
        state = .preparing(0)
        facts = RedisServerFacts()
        clock = RedisClock()
        let database = configuration.redis.database
        // First, since a Sentinel knows none of the others.
        sendInfo("server")
        if database != 0 { sendStep("SELECT", Int64(database)) }
        sendInfo("replication")
        for script in Script.allCases {
            command.begin(words: 3)
            command.word("SCRIPT")
            command.word("LOAD")
            command.word(script.text.utf8)
            send(.load(script))
        }
    }

    private func sendStep(_ name: StaticString, _ argument: Int64) {
        command.begin(words: 2)
        command.word(name)
        command.word(argument)
        send(.step(name))
    }

    private func sendInfo(_ section: StaticString) {
        command.begin(words: 2)
        command.word("INFO")
        command.word(section)
        send(.info(section))
    }

    private func sendTime() {
        command.begin(words: 1)
        command.word("TIME")
        send(.time(askedAt: driver.now))
    }

    /// Sends the contents of `command`.
    private func send(_ what: Sent) {
        if case .preparing(let left) = state { state = .preparing(left + 1) }
        sent.append(what)
        connection.send(command)
    }

    /// One reply of the handshake was taken. Redis is asked for its time separately and last: an answer that waits
    /// behind others says too little.
    private func finishStep(wasTime: Bool = false) {
        guard case .preparing(let left) = state else { return }
        state = .preparing(left - 1)
        guard left == 1 else { return }
        guard wasTime else {
            if facts.isPrimary == false {
                return connection.giveUp("it is a replica, which takes no writes: point REDIS_URL at the primary")
            }
            if facts.isTooOld, let version = facts.version {
                return connection.giveUp("it is Redis \(version), too old: likesd needs 6.2 or later")
            }
            if facts.name == nil { return connection.giveUp("INFO names no run_id and master_replid") }
            return sendTime()
        }
        state = .ready
        driver.deliver { core, turn in core.redisConnected(&turn) }
    }

    // MARK: Calls

    /// Sends the slices of a call; its answer follows when all of them have come back. Without a connection the core
    /// has given up the call already, or will when it hears that the connection is lost.
    func perform(_ call: CallID, _ request: RedisRequest) {
        guard case .ready = state, let server = facts.name else { return }
        let deadlineMs = clock.deadlineMs(driver.now, plus: configuration.redisCallMsMax)
        let slices = RedisJob.jobs(of: request, on: server).flatMap { $0.slices(deadlineMs: deadlineMs) }
        let replies = RedisReplies(slicesLeft: slices.count)
        guard !slices.isEmpty else { return finish(call, request, replies) }
        underWay[call] = (request, replies)
        for slice in slices { send(slice, of: call) }
    }

    /// Publishes a number on the host's own channel. Now and then it reads Redis' clock, too: the two clocks may drift
    /// apart.
    func beat(_ number: UInt64) {
        guard case .ready = state else { return }
        command.beat(number, on: channels)
        send(.beat)
        if clock.isToBeRead() { sendTime() }
    }

    private func send(_ slice: RedisSlice, of call: CallID) {
        slice.write(
            to: &command, hash: slice.script.map { hashes[$0.rawValue] } ?? [], configuration: configuration,
            channels: channels)
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
            facts.take(text)
            if facts.isSentinel {
                return connection.giveUp(
                    "it is a Sentinel, which has no data",
                    next:
                        "write redis-sentinel://HOST:PORT/0#NAME, with the name under which it watches the primary, in "
                        + configuration.places.text(of: .redisURL))
            }
            finishStep()
        case .load(let script):
            guard let hash = reply.string, hash.count == Script.hashBytes else {
                return connection.giveUp("SCRIPT LOAD", error: error, or: "no hash")
            }
            hashes[script.rawValue] = Array(hash)
            finishStep()
        case .time(let askedAt):
            guard let seconds = reply.element(0)?.wholeNumber, let rest = reply.element(1)?.wholeNumber,
                let time = RedisClock.time(seconds: seconds, microseconds: rest)
            else {
                return connection.giveUp("TIME", error: error, or: "no time")
            }
            // The exact moment: the turn began earlier.
            clock.learn(time, askedAt: askedAt, heardAt: .now)
            finishStep(wasTime: true)
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
        answered.replies.take(reply, of: slice)
        if answered.replies.slicesLeft > 0 {
            underWay[call] = answered
        } else {
            finish(call, answered.request, answered.replies)
        }
    }

    private func finish(_ call: CallID, _ request: RedisRequest, _ replies: RedisReplies) {
        // If one of the clocks was set, every call would be late.
        if replies.failure == .late { sendTime() }
        let answer = replies.answer(to: request, of: facts.name ?? "")
        driver.deliver { core, turn in core.answered(call, answer, &turn) }
    }
}
