import LikesCore
import LikesProtocol
import LikesSettings
import LikesStorage

/// The connection to Redis that listens: to what any host wrote through, and to this host's own heartbeats.
///
/// Redis closes it if it does not take its messages in time (client-output-buffer-limit pubsub), so they do not pile up
/// without bound.
final class SubscriberLink: RedisConnectionOwner {
    private enum State {
        case idle
        /// Which of a cluster's nodes it is.
        case identifying(ClusterView.Node)
        /// Channels whose subscription Redis has not confirmed.
        case subscribing(Int)
        case ready
    }

    private let place: NodePlace
    private let driver: CoreDriver
    private let configuration: Configuration
    /// Of this process, drawn at random.
    private let number: UInt64
    private var channels: RedisChannels
    /// Which node of a cluster has to be there; nil: it is not known to be one.
    private var node: ClusterView.Node?
    private let connection: RedisConnection
    private var state = State.idle

    init(
        _ place: NodePlace, driver: CoreDriver, loop: EventLoop, configuration: Configuration, target: RedisTarget,
        number: UInt64
    ) {
        self.place = place
        self.driver = driver
        self.configuration = configuration
        self.number = number
        channels = RedisChannels(database: configuration.redis.database, host: number)
        connection = RedisConnection(.message, to: target, loop: loop, types: configuration.itemTypes)
        connection.owner = self
    }

    func connect() {
        node = driver.ask { $0.clusterNode(place) }
        channels = RedisChannels(database: configuration.redis.database, host: number, node: node?.id)
        // The core names a node by its address.
        connection.namesPlace = node == nil
        connection.connect()
    }

    /// Closes without telling the core.
    func disconnect() {
        state = .idle
        connection.disconnect()
    }

    /// Gives up the connection, unless it leads to this server.
    func leave(_ failure: BackendFailure, unlessAt primary: NamedPrimary) {
        connection.leave(failure, unlessAt: primary)
    }

    func flush() { connection.flush() }

    func closed(_ failure: BackendFailure) {
        state = .idle
        driver.deliver { core, turn in core.lost(.subscriber(place), failure, &turn) }
    }

    func opened() {
        guard let node else { return subscribe() }
        // What is published on a node is heard on all of them. A beat is to show that this very one is heard.
        state = .identifying(node)
        var command = RedisCommand(types: configuration.itemTypes)
        command.begin(words: 2)
        command.word("CLUSTER")
        command.word("MYID")
        connection.send(command)
    }

    private func subscribe() {
        state = .subscribing(2)
        var command = RedisCommand(types: configuration.itemTypes)
        command.begin(words: 3)
        command.word("SUBSCRIBE")
        command.word(channels.counters)
        command.word(channels.host)
        connection.send(command)
    }

    func received(_ reply: ReplyView) {
        if case .identifying(let node) = state {
            guard let id = reply.text else {
                return connection.giveUp("CLUSTER MYID", error: reply.errorText, or: "no text")
            }
            guard id == node.id else {
                return connection.giveUp(
                    "another node of a Redis Cluster answers there: \(ForeignText.shown(id))",
                    next: Advice(configuration, on: .measured()).otherNode)
            }
            return subscribe()
        }
        if let error = reply.errorText { return connection.giveUp("SUBSCRIBE: \(error)") }
        guard reply.elementCount == 3, let kind = reply.element(0)?.string, let channel = reply.element(1)?.string,
            let last = reply.element(2)
        else { return connection.giveUp(unexpected: RedisConnection.unasked) }
        switch state {
        case .idle, .identifying: return connection.giveUp(unexpected: RedisConnection.unasked)
        case .subscribing(let left) where kind.elementsEqual("subscribe".utf8) && last.integer != nil:
            state = left > 1 ? .subscribing(left - 1) : .ready
            if left == 1 {
                driver.deliver { core, turn in core.subscriberConnected(place, &turn) }
            }
        // The first channel may deliver while the other one is not confirmed yet.
        case .subscribing, .ready:
            // Longer than any host's: anybody may send it.
            if last.isPassedOver { return }
            guard kind.elementsEqual("message".utf8), let payload = last.string else {
                return connection.giveUp(unexpected: RedisConnection.unasked)
            }
            heard(payload, on: channel)
        }
    }

    private func heard(_ payload: ArraySlice<UInt8>, on channel: ArraySlice<UInt8>) {
        if channel.elementsEqual(channels.counters) {
            // Anybody may say anything there.
            guard let message = CounterMessage(payload, types: configuration.itemTypes) else { return }
            driver.deliver { core, turn in
                core.heard(on: place, token: message.token, message.counters, &turn)
            }
        } else if channel.elementsEqual(channels.host) {
            guard let number = payload.withUnsafeBytes({ Decimal.parse($0) }) else { return }
            driver.deliver { core, turn in
                core.heardBeat(on: place, UInt64(number), &turn)
            }
        } else {
            connection.giveUp(unexpected: RedisConnection.unasked)
        }
    }
}
