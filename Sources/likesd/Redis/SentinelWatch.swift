import LikesCore
import LikesProtocol
import LikesSettings
import LikesStorage

/// What one Sentinel says: asked again and again on one connection, and at once when it tells of a failover on another.
/// RESP2 does not allow both on one.
final class SentinelWatch: RedisConnectionOwner {
    enum State: Equatable {
        /// It has neither answered nor failed yet.
        case unknown
        case named(NamedPrimary)
        /// `isAnswering`: it is there, but names no primary.
        case failed(BackendFailure, isAnswering: Bool)

        var primary: NamedPrimary? { if case .named(let primary) = self { primary } else { nil } }
    }

    private enum Phase {
        case idle
        case connecting
        /// Until it is asked again.
        case resting
        case asking(SentinelAnswers, isAskedAgain: Bool)
    }

    private(set) var state = State.unknown
    var onUnexpected: (() -> Void)?
    private let address: RedisEndpoint.Address
    private let name: String
    private let configuration: Configuration
    private let loop: EventLoop
    private let onNews: () -> Void
    private let connection: RedisConnection
    private let listener: SentinelListener
    private var phase = Phase.idle
    /// For the end of the phase.
    private var timer: OneTimer?
    private var askedAt = Instant(microseconds: 0)

    /// `onNews`: the state may have changed.
    init(
        _ address: RedisEndpoint.Address, _ sentinels: RedisSentinels, configuration: Configuration, loop: EventLoop,
        onNews: @escaping () -> Void
    ) {
        self.address = address
        name = sentinels.name
        self.configuration = configuration
        self.loop = loop
        self.onNews = onNews
        let target = RedisTarget(configuration, sentinel: address, sentinels.credentials)
        connection = RedisConnection(.redis, to: target, loop: loop, types: configuration.itemTypes)
        listener = SentinelListener(target, types: configuration.itemTypes, loop: loop)
        connection.owner = self
        listener.onMessage = { [unowned self] in self.askSoon() }
    }

    /// Why it names no primary; nil: it names one, or has not failed yet.
    var failure: BackendFailure? { if case .failed(let failure, _) = state { failure } else { nil } }

    var isAnswering: Bool {
        switch state {
        case .unknown: false
        case .named: true
        case .failed(_, let isAnswering): isAnswering
        }
    }

    // MARK: Coming and going

    func begin() {
        phase = .connecting
        after(EdgeLimits.sentinelAnswerMsMax) { $0.connection.giveUp(SentinelWatch.late) }
        connection.connect()
    }

    func end() {
        phase = .idle
        timer = nil
        connection.disconnect()
        listener.end()
    }

    func flush() {
        connection.flush()
        listener.flush()
    }

    func opened() { ask() }

    func closed(_ failure: BackendFailure) {
        if case .unexpected = failure { onUnexpected?() }
        fail(failure, isAnswering: false)
    }

    /// Tries again later. The subscription ends with the rest: whatever is wrong is wrong with both.
    private func fail(_ failure: BackendFailure, isAnswering: Bool) {
        phase = .idle
        connection.disconnect()
        listener.end()
        state = .failed(failure, isAnswering: isAnswering)
        after(EdgeLimits.sentinelRetryMs + .random(in: 0...EdgeLimits.sentinelRetryMs)) { $0.begin() }
        onNews()
    }

    /// One timer at a time.
    private func after(_ delayMs: Int64, _ act: @escaping (SentinelWatch) -> Void) {
        do {
            timer = try loop.timer(afterMs: delayMs) { [unowned self] in act(self) }
        } catch {
            preconditionFailure("no timer for a Sentinel: \(error.message)")
        }
    }

    private static let late = "no answer within \(EdgeLimits.sentinelAnswerMsMax) ms"

    // MARK: Asking

    /// Asks at once, but not more often than `sentinelAskMsMin` allows.
    func askSoon() {
        switch phase {
        case .idle, .connecting: return
        case .asking(let answers, _): phase = .asking(answers, isAskedAgain: true)
        case .resting: rest(atMost: max(0, EdgeLimits.sentinelAskMsMin - Instant.now.ms(since: askedAt)))
        }
    }

    private func rest(atMost delayMs: Int64) {
        phase = .resting
        after(delayMs) { $0.ask() }
    }

    private func ask() {
        phase = .asking(SentinelAnswers(), isAskedAgain: false)
        askedAt = .now
        after(EdgeLimits.sentinelAnswerMsMax) { $0.connection.giveUp(SentinelWatch.late) }
        for words in SentinelAnswers.commands(name) {
            var command = RedisCommand(types: configuration.itemTypes)
            command.begin(words: words.count)
            for word in words { command.word(word.utf8) }
            connection.send(command)
        }
    }

    func received(_ reply: ReplyView) {
        guard case .asking(var answers, let isAskedAgain) = phase else {
            return connection.giveUp(unexpected: RedisConnection.unasked)
        }
        let outcome = answers.take(SentinelReply(reply))
        phase = .asking(answers, isAskedAgain: isAskedAgain)
        switch outcome {
        case nil: return
        case .named(let primary):
            listener.begin()
            rest(
                atMost: isAskedAgain
                    ? EdgeLimits.sentinelAskMsMin
                    : EdgeLimits.sentinelAskMs + .random(in: 0...EdgeLimits.sentinelAskMs / 4))
            guard state != .named(primary) else { return }
            state = .named(primary)
            onNews()
        case .changing: rest(atMost: EdgeLimits.sentinelAskMsMin)
        case .trouble(let trouble):
            let next = Advice(configuration, on: .measured()).sentinel(address, trouble)
            fail(.unreachable("\(address.name): \(trouble.text(name))", next: next), isAnswering: true)
        case .misfit: connection.giveUp(unexpected: "SENTINEL: \(RedisConnection.noAnswer)")
        }
    }
}

extension SentinelReply {
    fileprivate init(_ reply: ReplyView) {
        if let error = reply.errorText {
            self = .error(error)
        } else if reply.elementCount != nil {
            let words = reply.elements.map(\.text)
            self = words.contains(nil) ? .other : .list(words.compactMap { $0 })
        } else {
            self = reply.value == .null && !reply.isPassedOver ? .null : .other
        }
    }
}

/// The connection on which a Sentinel tells of failovers. It only saves time: whatever becomes of it, the Sentinel is
/// asked again within `sentinelAskMs`.
private final class SentinelListener: RedisConnectionOwner {
    private enum State {
        case idle
        case connecting
        case ready
        /// It failed; it is tried again with a later answer of the Sentinel.
        case failed(at: Instant)
    }

    private let types: ItemTypes
    private let connection: RedisConnection
    var onMessage: (() -> Void)?
    private var state = State.idle
    /// Since `countedFrom`.
    private var messages = 0
    private var countedFrom = Instant(microseconds: 0)

    init(_ target: RedisTarget, types: ItemTypes, loop: EventLoop) {
        self.types = types
        connection = RedisConnection(.message, to: target, loop: loop, types: types)
        connection.owner = self
    }

    /// The Sentinel has answered. Does nothing while there is a connection, unless an attempt takes too long.
    func begin() {
        switch state {
        case .ready: return
        case .connecting: connection.giveUp("no answer")
        case .failed(let moment) where Instant.now.ms(since: moment) < EdgeLimits.sentinelRetryMs: return
        case .idle, .failed:
            state = .connecting
            connection.connect()
        }
    }

    func end() {
        state = .idle
        connection.disconnect()
    }

    func flush() { connection.flush() }

    func opened() {
        var command = RedisCommand(types: types)
        command.begin(words: 2)
        command.word("SUBSCRIBE")
        command.word(SentinelAnswers.channel.utf8)
        connection.send(command)
    }

    func closed(_ failure: BackendFailure) { state = .failed(at: .now) }

    func received(_ reply: ReplyView) {
        if let error = reply.errorText { return connection.giveUp("SUBSCRIBE", error: error) }
        guard reply.elementCount == 3, let kind = reply.element(0)?.string else {
            return connection.giveUp(unexpected: RedisConnection.unasked)
        }
        if Instant.now.ms(since: countedFrom) >= EdgeLimits.sentinelAskMs {
            countedFrom = .now
            messages = 0
        }
        messages += 1
        guard messages <= EdgeLimits.sentinelMessagesMax else {
            return connection.giveUp(unexpected: "more than \(EdgeLimits.sentinelMessagesMax) messages at once")
        }
        // What was missed before the subscription is asked for now.
        if kind.elementsEqual("subscribe".utf8) { state = .ready }
        onMessage?()
    }
}
