import LikesCore
import LikesProtocol
import LikesSettings
import LikesStorage

/// Asks the nodes of a Redis Cluster which of them has what, one at a time and with each ask another one first: a node
/// that is cut off from the others goes on naming former owners.
final class ClusterWatch: RedisConnectionOwner {
    private struct Past {
        /// When a node of the cluster in use answered last, or when the first ask was.
        var answeredAt: Instant?
        /// The nodes of the cluster that was given up for the one in use.
        var former: Set<String> = []
    }

    private let configuration: Configuration
    private let driver: CoreDriver
    private let loop: EventLoop
    private var connection: RedisConnection?
    /// Where the present connection leads.
    private var address = RedisEndpoint.Address.unix(path: "")
    /// Who was asked last.
    private var lastAsked: RedisEndpoint.Address?
    /// Who is still to be asked if the present one fails.
    private var rest: [RedisEndpoint.Address] = []
    private var failures: [BackendFailure] = []
    private var answers = ClusterAnswers(known: [])
    private var past = Past()
    /// Those that REDIS_URL names in vain, and that were logged.
    private var strangersLogged: [RedisEndpoint.Address] = []
    /// For the end of one node's time.
    private var timer: OneTimer?

    init(configuration: Configuration, driver: CoreDriver, loop: EventLoop) {
        self.configuration = configuration
        self.driver = driver
        self.loop = loop
    }

    // MARK: Coming and going

    /// Reports what a node says, or that none says anything.
    func ask() {
        // A node may have said the same elsewhere before those asked here did.
        connection?.disconnect()
        failures = []
        answers = ClusterAnswers(known: driver.ask { $0.clusterNodes }, former: past.former)
        past.answeredAt = past.answeredAt ?? driver.now
        rest = ClusterWatch.order(addresses, after: lastAsked)
        askNext()
    }

    func end() {
        timer = nil
        rest = []
        connection?.disconnect()
    }

    func flush() { connection?.flush() }

    /// The primaries that are known, and those of REDIS_URL.
    private var addresses: [RedisEndpoint.Address] {
        let nodes = answers.known.map { RedisEndpoint.Address.tcp(host: $0.host, port: $0.port) }
        switch configuration.redis.topology {
        case .server(let address): return nodes + [address]
        case .cluster(let named): return nodes + named
        case .sentinels: return nodes
        }
    }

    /// Each once, beginning behind the one that was asked last.
    static func order(
        _ addresses: [RedisEndpoint.Address], after last: RedisEndpoint.Address?
    ) -> [RedisEndpoint.Address] {
        var all: [RedisEndpoint.Address] = []
        for address in addresses where !all.contains(address) { all.append(address) }
        guard let place = last.flatMap(all.firstIndex(of:)) else { return all }
        return Array(all[(place + 1)...]) + all[...place]
    }

    private func askNext() {
        guard !rest.isEmpty else { return finish(nil) }
        address = rest.removeFirst()
        lastAsked = address
        let connection = connection ?? made()
        self.connection = connection
        do {
            timer = try loop.timer(afterMs: EdgeLimits.clusterAnswerMsMax) { [unowned self] in
                self.connection?.giveUp("no answer within \(EdgeLimits.clusterAnswerMsMax) ms")
            }
        } catch {
            preconditionFailure("no timer for a cluster's node: \(error.message)")
        }
        connection.connect()
    }

    private func made() -> RedisConnection {
        let target = RedisTarget(configuration, asking: { [unowned self] in self.address })
        let made = RedisConnection(.redis, to: target, loop: loop, types: configuration.itemTypes)
        made.owner = self
        return made
    }

    func closed(_ failure: BackendFailure) {
        failures.append(failure)
        askNext()
    }

    // MARK: Asking

    func opened() {
        var command = RedisCommand(types: configuration.itemTypes)
        command.begin(words: 2)
        command.word("CLUSTER")
        command.word("NODES")
        connection?.send(command)
        connection?.flush()
    }

    func received(_ reply: ReplyView) {
        guard let connection else { return }
        guard let text = reply.text else {
            return connection.giveUp("CLUSTER NODES", error: reply.errorText, or: "no text")
        }
        let view: ClusterView
        do throws(Misfit) {
            view = try ClusterView(text, askedHost: connection.hostOfNodes)
        } catch {
            return connection.giveUp(unexpected: error.text)
        }
        switch answers.take(view, from: address) {
        case .taken:
            if !past.former.isDisjoint(with: view.ids) { past.former = [] }
            strangersLogged.removeAll { $0 == address }
            logStrangers()
            finish(view)
        case .counted:
            if let first = answers.first(ofMostAmong: addresses.count) { return finish(first) }
            connection.disconnect()
            askNext()
        case .refused:
            connection.giveUp("it does not belong to the Redis Cluster in use", next: advice.strangeNode)
        }
    }

    private var advice: Advice { Advice(configuration, on: .measured()) }

    /// What REDIS_URL names in vain is logged once.
    private func logStrangers() {
        guard case .cluster(let named) = configuration.redis.topology else { return }
        for address in answers.strangers where named.contains(address) && !strangersLogged.contains(address) {
            strangersLogged.append(address)
            let text = "Redis \(address.name) does not belong to the Redis Cluster in use; next: \(advice.strangeNode)"
            driver.actions.append(.log(.warning, text))
        }
    }

    private func finish(_ view: ClusterView?) {
        timer = nil
        connection?.disconnect()
        let silentMs = past.answeredAt.map { driver.now.ms(since: $0) } ?? 0
        let known = view ?? answers.first
        if let view = known ?? answers.otherCluster(silentMs: silentMs) {
            if known == nil { past.former = Set(answers.known.map(\.id)) }
            past.answeredAt = driver.now
            rest = []
            return driver.deliver { core, turn in core.clusterSeen(view, &turn) }
        }
        let reasons = failures.map(\.reason).joined(separator: "; ")
        let next = failures.lazy.compactMap(\.next).first ?? advice.clusterUnseen
        let failure = BackendFailure.unreachable("no node says which of them has what: \(reasons)", next: next)
        driver.deliver { core, turn in core.clusterUnseen(failure, &turn) }
    }
}
