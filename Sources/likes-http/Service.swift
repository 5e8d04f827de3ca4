import CSystemd
import Glibc
import LikesHTTP
import LikesProtocol
import LikesSettings

/// The gateway at work: turns the loop, and connects clients with likesd.
final class Service {
    private let loop: Loop
    private let metrics = Metrics()
    private var gateway = Gateway(version: Release.version)
    private var clients: ClientTable?
    private var links: DaemonLinks?
    private var listener: Listener?
    /// Clients that wait until likesd's item types are known, and until when: who came first is first.
    private var parked: [(client: Client, untilMs: Int64)] = []
    private var typesAtMs: Int64 = 0
    /// When to leave; nil: nobody has asked to stop.
    private var stopsAtMs: Int64?

    init(_ options: Options) throws(GatewayError) {
        loop = try Loop(tickMs: GatewayLimits.sweepMs)
        let sockets = try Self.sockets(options)
        Descriptors.raise()
        clients = try ClientTable(loop: loop, metrics: metrics) { [unowned self] client in
            begin(client, untilMs: Clock.nowMs + GatewayLimits.daemonMsMax)
        }
        links = DaemonLinks(
            path: options.socketPath, loop: loop, metrics: metrics,
            learned: { [unowned self] types in learned(types) },
            deliver: { [unowned self] job, response in
                if let client = job.client { clients?.respond(client, response) }
            })
        if let clients { listener = try Listener(sockets, clients: clients, loop: loop) }
        for number in [SIGTERM, SIGINT] {
            try loop.watchSignal(number) { [unowned self] in stop() }
        }
        for socket in sockets { Log.write(.notice, "listening at \(socket.address.text)") }
    }

    /// Systemd's sockets, or those of the options.
    private static func sockets(_ options: Options) throws(GatewayError) -> [ListeningSocket] {
        let inherited = try ListeningSocket.inherited()
        let named = options.addresses.isEmpty ? [Options.addressOtherwise] : options.addresses
        var addresses: [ListenAddress] = []
        if inherited.isEmpty { for text in named { addresses.append(try ListenAddress(text)) } }
        if let remote = (addresses + inherited.map(\.address)).first(where: { !$0.isLocal }), !options.allowsRemote {
            throw GatewayError(
                "other hosts reach \(remote.text), and whoever reaches it may like as any user: "
                    + "listen at 127.0.0.1 or [::1], or say --allow-remote", .usage)
        }
        var sockets = inherited
        for address in addresses { sockets.append(try ListeningSocket(address)) }
        return sockets
    }

    /// Serves until it is asked to stop.
    func run() throws(GatewayError) {
        links?.connectAll()
        Log.write(.notice, "likes-http \(Release.version) is ready for clients")
        sd_notify(0, "READY=1")
        while !isOver {
            let isTick = try loop.turn(isBriefly: clients?.isDue ?? false)
            if isTick { sweep() }
            clients?.run()
            links?.flush()
        }
    }

    private func sweep() {
        let nowMs = Clock.nowMs
        clients?.sweep(nowMs: nowMs)
        if let first = parked.first, first.untilMs <= nowMs { learned(nil) }
        links?.sweep(nowMs: nowMs)
        listener?.sweep(nowMs: nowMs)
        if typesAtMs <= nowMs {
            typesAtMs = nowMs + GatewayLimits.typesMs
            links?.learn(nowMs: nowMs)
        }
    }

    // MARK: The end

    private var isOver: Bool {
        guard let stopsAtMs else { return false }
        return clients?.count == 0 || Clock.nowMs >= stopsAtMs
    }

    private func stop() {
        guard stopsAtMs == nil else {
            Log.write(.warning, "asked to stop a second time: leaving what is under way")
            exit(ExitStatus.failure.rawValue)
        }
        let nowMs = Clock.nowMs
        stopsAtMs = nowMs + GatewayLimits.stopMsMax
        sd_notify(0, "STOPPING=1")
        Log.write(.notice, "stopping")
        listener?.end()
        clients?.stop(nowMs: nowMs)
    }

    // MARK: Requests

    /// The response to a request, or nil if it comes later. `untilMs`: the time for likesd's answer, at most.
    private func begin(_ client: Client, untilMs: Int64) -> HTTPResponse? {
        guard let message = client.request?.message, let links else { return nil }
        switch gateway.step(for: message) {
        case .respond(let response): return response
        case .ask(let question):
            if gateway.types == nil, question.itemCount > 0, links.isLearning {
                guard Clock.nowMs < untilMs else {
                    return Refusal.unavailable("likesd does not answer").response(problem: message.wantsProblems)
                }
                parked.append((client, untilMs))
                return nil
            }
            let deadlineMs =
                question.isOfWatchers ? min(untilMs, Clock.nowMs + GatewayLimits.watchMsMax) : untilMs
            return ask(question, for: client, problem: message.wantsProblems, deadlineMs: deadlineMs)
        }
    }

    private func ask(
        _ question: Question, for client: Client, problem: Bool, deadlineMs: Int64
    ) -> HTTPResponse? {
        guard let links else { return nil }
        guard links.itemsUnderWay + question.itemCount <= GatewayLimits.itemsUnderWayMax else {
            return Refusal.busy("too many items at once").response(problem: problem)
        }
        let own =
            question == .metrics
            ? metrics.text(
                open: clients?.count ?? 0, underWay: links.jobCount, waiting: links.waitingCount,
                links: links.connectedCount) : ""
        let job = Job(
            Exchange(question, problem: problem, metrics: own, now: Clock.now), for: client, deadlineMs: deadlineMs)
        client.job = job
        return links.submit(job)
    }

    /// likesd has said which item types it has; nil: it did not.
    private func learned(_ types: [String]?) {
        if let types { gateway.types = types }
        let clients = parked
        parked = []
        for (client, untilMs) in clients {
            if let response = begin(client, untilMs: untilMs) { self.clients?.respond(client, response) }
        }
    }
}
