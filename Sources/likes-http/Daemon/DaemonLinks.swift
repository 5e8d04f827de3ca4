import LikesClient
import LikesHTTP
import LikesProtocol

/// The connections to likesd: which request goes where, and what becomes of it.
///
/// Replies on one connection come in the order of its requests. So what likesd answers from memory does not wait behind
/// what PostgreSQL is asked, nor anything behind a thousand items.
final class DaemonLinks {
    /// What a connection is for.
    private enum Role: Int, CaseIterable {
        /// Counts, and what likesd knows by itself.
        case counts
        /// Whether a user likes something, and short lists: PostgreSQL is asked.
        case pairs
        /// Likes and unlikes: PostgreSQL commits.
        case changes
        /// Requests of many items, and long lists.
        case bulk

        init(_ question: Question) {
            switch question {
            case .like, .unlike: self = .changes
            case .counts where question.itemCount > GatewayLimits.itemsForBulk: self = .bulk
            case .hasLiked where question.itemCount > GatewayLimits.itemsForBulk: self = .bulk
            case .likes where question.itemCount > GatewayLimits.itemsForBulk: self = .bulk
            case .likers where question.itemCount > GatewayLimits.itemsForBulk: self = .bulk
            case .hasLiked, .likes, .likers: self = .pairs
            case .count, .counts, .health, .ready, .metrics: self = .counts
            }
        }
    }

    private let path: String
    private let loop: Loop
    private let metrics: Metrics
    /// The response to a job, in the end.
    private let deliver: (Job, HTTPResponse) -> Void
    private let learned: ([String]?) -> Void
    /// One for each role, in the order of the roles.
    private let links = Role.allCases.map { _ in DaemonLink() }
    private var jobs: [ObjectIdentifier: Job] = [:]
    /// Those with requests that found no room, or no connection that has been answered.
    private var waiting: [Job] = []
    /// Why there is no connection; nil: there was one, or none was tried.
    private var problem: String?
    private var hang = Hang()
    private var learning = Learning()
    private(set) var itemsUnderWay = 0

    init(
        path: String, loop: Loop, metrics: Metrics, learned: @escaping ([String]?) -> Void,
        deliver: @escaping (Job, HTTPResponse) -> Void
    ) {
        self.path = path
        self.loop = loop
        self.metrics = metrics
        self.learned = learned
        self.deliver = deliver
    }

    var connectedCount: Int { links.count { $0.isConnected } }
    var jobCount: Int { jobs.count }
    var waitingCount: Int { waiting.count }
    /// Whether likesd is about to say which item types it has.
    var isLearning: Bool { learning.isUnderWay(nowMs: Clock.nowMs) }

    /// Asks likesd; returns the response if it is there at once.
    func submit(_ job: Job) -> HTTPResponse? {
        pump(job)
        if let response = job.exchange.response { return response }
        jobs[ObjectIdentifier(job)] = job
        itemsUnderWay += job.exchange.question.itemCount
        return nil
    }

    // MARK: Sending

    /// Sends as many of its requests as may go now.
    private func pump(_ job: Job) {
        while let (call, words) = job.exchange.next() {
            guard let link = link(for: Role(job.exchange.question)) else {
                job.exchange.unreachable(problem ?? "no connection")
                return
            }
            // Before likesd has answered on a connection nobody knows whether it reads what comes: a change would be
            // lost or not, and nobody could say which.
            guard link.hasAnswered, link.send(words, for: .job(job, call: call)) else {
                job.exchange.putBack(call)
                if !job.isWaiting {
                    job.isWaiting = true
                    waiting.append(job)
                }
                return
            }
        }
    }

    /// The connection for a role; another one while it cannot be made. nil: none can.
    private func link(for role: Role) -> DaemonLink? {
        let link = links[role.rawValue]
        let nowMs = Clock.nowMs
        if !link.isConnected, link.retryAtMs <= nowMs { connect(link, nowMs: nowMs) }
        guard !link.isConnected else { return link }
        return links.first { $0.isConnected && $0.hasAnswered } ?? links.first { $0.isConnected }
    }

    private func connect(_ link: DaemonLink, nowMs: Int64) {
        do throws(SocketError) {
            try link.connect(to: path, loop: loop, nowMs: nowMs) { [unowned self, unowned link] in ready(link) }
            metrics.daemonConnections += 1
            learn(on: link, nowMs: nowMs)
        } catch {
            if problem == nil { Log.write(.warning, "no connection to likesd at \(path): \(error.text)") }
            problem = error.text
        }
    }

    /// Connects all that are not, so that the first request finds them. Also shows early whether likesd is there.
    func connectAll() {
        let nowMs = Clock.nowMs
        for link in links where !link.isConnected && link.retryAtMs <= nowMs { connect(link, nowMs: nowMs) }
    }

    /// Writes what this turn has queued.
    func flush() {
        // What a lost connection's requests go to is written as well: the next turn may be far.
        while let link = links.first(where: { $0.isDirty }) { flush(link) }
    }

    // MARK: Replies

    private func ready(_ link: DaemonLink) {
        guard receive(link) else { return }
        flush(link)
        pumpWaiting()
    }

    private func flush(_ link: DaemonLink) {
        do throws(SocketError) {
            try link.flush()
        } catch {
            lost(link, error)
        }
    }

    /// False: the connection is lost, and its requests are dealt with.
    private func receive(_ link: DaemonLink) -> Bool {
        do throws(SocketError) {
            let now = Clock.now
            try link.receive { purpose, reply in replied(purpose, reply, now) }
            return true
        } catch {
            lost(link, error)
            return false
        }
    }

    private func replied(_ purpose: DaemonLink.Purpose, _ reply: ReplyView, _ now: Moment) {
        switch purpose {
        case .types(let link): learned(from: reply, on: link)
        case .job(let job, let call):
            hang.end(path)
            job.exchange.replied(call, reply.value, now: now)
            // An unknown item type, most likely: likesd may have others by now.
            if reply.error?.starts(with: "ERR ".utf8) ?? false, !isLearning { learn(nowMs: now.monotonicUs / 1_000) }
            advance(job)
        }
    }

    /// Goes on with a job, or ends it.
    private func advance(_ job: Job) {
        pump(job)
        guard let response = job.exchange.response, let known = jobs.removeValue(forKey: ObjectIdentifier(job)) else {
            return
        }
        itemsUnderWay -= known.exchange.question.itemCount
        deliver(known, response)
    }

    private func pumpWaiting() {
        let jobs = waiting
        waiting = []
        for job in jobs {
            job.isWaiting = false
            advance(job)
        }
    }

    // MARK: Failures

    private func lost(_ link: DaemonLink, _ error: SocketError) {
        var unanswered = end(link, error)
        // Where one connection ends, likesd has often ended: the others would only look alive.
        for other in links where other.isConnected {
            do throws(SocketError) {
                let now = Clock.now
                try other.receive { purpose, reply in replied(purpose, reply, now) }
            } catch {
                unanswered += end(other, error)
            }
        }
        let nowMs = Clock.nowMs
        for (job, call, loss) in unanswered {
            job.exchange.lost(call, loss, canTryAgain: nowMs < job.deadlineMs)
            advance(job)
        }
        pumpWaiting()
    }

    private func end(_ link: DaemonLink, _ error: SocketError) -> [(Job, Int, Exchange.Loss)] {
        guard link.isConnected else { return [] }
        metrics.daemonConnectionsLost += 1
        let why = link.refusal ?? error.text
        if problem == nil { Log.write(.warning, "a connection to likesd at \(path) was lost: \(why)") }
        problem = why
        return link.end(nowMs: Clock.nowMs).compactMap { purpose, fate in
            switch purpose {
            case .types:
                learning.count -= 1
                if learning.count == 0 { learned(nil) }
                return nil
            case .job(let job, let call):
                return (job, call, fate == .maybeExecuted ? .lost(why) : .neverSent(why))
            }
        }
    }

    /// Ends what likesd has not answered in time. It is not asked again: it would have to wait as long once more.
    func sweep(nowMs: Int64) {
        let late = jobs.values.filter { $0.deadlineMs <= nowMs }
        if !late.isEmpty { hang.seen(path, nowMs: nowMs) }
        for job in late {
            job.exchange.timedOut()
            advance(job)
        }
        // While likesd hangs nothing else looks at those that wait, and clients come again and again.
        waiting.removeAll { $0.exchange.response != nil }
        if learning.count > 0, !isLearning { learned(nil) }
        connectAll()
    }

    // MARK: Item types

    private func learn(on link: DaemonLink, nowMs: Int64) {
        guard link.send(["INFO", "server"], for: .types(link)) else { return }
        learning.count += 1
        learning.sinceMs = nowMs
    }

    func learn(nowMs: Int64) {
        // One that was refused, and stays open, is of no use before it has said the types.
        for link in links where link.isConnected && !link.hasAnswered { learn(on: link, nowMs: nowMs) }
        if let link = links.first(where: { $0.hasAnswered }) { learn(on: link, nowMs: nowMs) }
    }

    /// An error is likesd's refusal of the connection, which it ends next.
    private func learned(from reply: ReplyView, on link: DaemonLink) {
        learning.count -= 1
        guard let text = reply.text else {
            link.refusal = reply.error.map { ForeignText.shown($0) }
            if learning.count == 0 { learned(nil) }
            return
        }
        if !link.hasAnswered {
            link.answered()
            if problem != nil { Log.write(.notice, "connected to likesd at \(path) again") }
            problem = nil
        }
        let line = text.split(whereSeparator: \.isNewline).first { $0.hasPrefix("item_types:") }
        let names = line?.dropFirst("item_types:".count).split(separator: ",").map { String($0) } ?? []
        learned(names.isEmpty ? nil : names)
    }
}

/// What the log says of a likesd that does not answer.
private struct Hang {
    private var line = RepeatedLine()
    private var isUnderWay = false

    mutating func seen(_ path: String, nowMs: Int64) {
        line.write(
            .warning, "likesd at \(path) has not answered in time: see 'systemctl status likesd'", nowMs: nowMs)
        isUnderWay = true
    }

    /// likesd has answered.
    mutating func end(_ path: String) {
        guard isUnderWay else { return }
        isUnderWay = false
        Log.write(.notice, "likesd at \(path) answers again")
    }
}

/// Whether likesd is being asked for its item types.
private struct Learning {
    /// Questions that it has not answered.
    var count = 0
    /// When it was asked last.
    var sinceMs: Int64 = 0

    func isUnderWay(nowMs: Int64) -> Bool { count > 0 && nowMs < sinceMs + GatewayLimits.daemonMsMax }
}
