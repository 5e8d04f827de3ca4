import LikesctlCommands

/// One run of the load: one thread, one epoll, and nothing allocated for a request.
struct BenchRun: ~Copyable {
    enum Ending: String {
        case finished
        case interrupted
        /// There was no connection for `BenchLimits.goneNs`.
        case gone
        /// Requests were under way, and none was answered in the time that the daemon may take.
        case silent
    }

    private let sequence: RequestSequence
    private let answerMs: Int64
    private var sending: BenchSending
    /// nil: a closed loop.
    private var arrivals: BenchArrivals?
    private var connections: BenchConnections
    private var liveness: BenchLiveness
    private var clock = BenchClock()
    private var lastCountedReplyNs: Int64 = 0
    private var nextTickNs: Int64 = 0
    private(set) var ending = Ending.finished
    private(set) var tally = BenchTally()
    private var progress = BenchProgress()

    /// `answerMs`: after this long without an answer, none will come.
    init(_ options: BenchOptions, socketPath: String, answerMs: Int64) throws(Failure) {
        sequence = RequestSequence(options)
        self.answerMs = answerMs
        sending = BenchSending(options)
        arrivals = options.rate.map { BenchArrivals(rate: $0, seed: options.seed) }
        liveness = BenchLiveness(answerMs: answerMs)
        connections = try BenchConnections(
            options, socketPath: socketPath, requestBytesMax: sequence.requestBytesMax)
    }

    /// Seconds measured: up to the end, or to the last answer if it came later.
    var seconds: Double { max(0, Double(max(lastCountedReplyNs, sending.endedNs ?? 0) - sending.warmupNs) / 1e9) }

    /// The time from when the last request was due to the last answer; 0 in a closed loop.
    var behindNs: Int64 { arrivals.map { max(0, lastCountedReplyNs - $0.lastDueNs) } ?? 0 }

    /// The smallest number of connections that were open at one time.
    var connectionsLeast: Int { connections.openLeast }

    /// Seconds of CPU that the generator itself used while it measured.
    var cpuSeconds: Double { clock.cpuSeconds }

    /// Runs to the end, whatever ends the run.
    mutating func run() throws(Failure) {
        try connections.openAll(timeoutMs: answerMs)
        clock = BenchClock()
        var interrupts = 0
        var now: Int64 = 0
        for number in 0..<connections.count { refill(number, now) }
        while true {
            if !clock.isCounting, now >= sending.warmupNs { clock.beginCounting() }
            if now >= nextTickNs { tick(now) }
            // Flush first: that makes room for the requests that are due.
            connections.flush()
            // Requests due by now are sent even if the run ends now. Otherwise their outcome would be missing from the
            // results.
            sendDue(now)
            if interrupts > 0 { interrupt(now) }
            sending.endIfComplete(now, dueNs: arrivals?.dueNs)
            connections.flush()
            if sending.isOver, liveness.underWay == 0 || interrupts > 1 { break }
            if let ended = liveness.ending(now) {
                ending = ended
                sending.end(now)
                break
            }
            // The clock is read again, since the work above took some time.
            for place in 0..<connections.wait(ns: wakeNs - clock.now) {
                switch connections.found(place) {
                case .interrupt: interrupts += 1
                case .input(let number): try receive(number)
                case .output(let number): connections.markDirty(number)
                }
            }
            now = clock.now
        }
        clock.endCounting()
        for number in 0..<connections.count { failAll(connections[number], .noAnswer) }
        failUnsent()
        progress.clear()
    }

    private mutating func interrupt(_ now: Int64) {
        guard !sending.isOver else { return }
        ending = .interrupted
        sending.end(now)
    }

    /// Until when there is nothing to do unless a connection wakes us.
    private var wakeNs: Int64 {
        var until = nextTickNs
        if !sending.isOver, let sendNs = arrivals?.sendNs { until = min(until, sendNs) }
        if !clock.isCounting { until = min(until, sending.warmupNs) }
        if let endNs = sending.endAheadNs { until = min(until, endNs) }
        return until
    }

    // MARK: Sending

    /// Open loop: writes all requests that are due.
    private mutating func sendDue(_ now: Int64) {
        for _ in 0..<BenchLimits.arrivalsPerWakeUp {
            guard let dueNs = arrivals?.dueNs, dueNs <= now, sending.takes(dueNs: dueNs) else { return }
            guard let number = connections.withRoom(sending.written) else {
                arrivals?.held()
                return
            }
            let counts = dueNs >= sending.warmupNs
            if let lagNs = arrivals?.sent(now), counts { tally.sent(lagNs: lagNs) }
            append(to: number, sinceNs: dueNs, counts: counts, now)
        }
    }

    /// Closed loop: writes as many requests as the connection may have under way.
    private mutating func refill(_ number: Int, _ now: Int64) {
        guard arrivals == nil else { return }
        sending.endIfComplete(now, dueNs: nil)
        let counts = now >= sending.warmupNs
        while sending.takesMore, connections[number].hasRoom {
            append(to: number, sinceNs: now, counts: counts, now)
        }
    }

    private mutating func append(to number: Int, sinceNs: Int64, counts: Bool, _ now: Int64) {
        connections[number].append(sending.written, of: sequence, sinceNs: sinceNs, counts: counts)
        sending.sent(counts: counts)
        liveness.sent(now)
        connections.markDirty(number)
    }

    // MARK: Receiving

    private mutating func receive(_ number: Int) throws(Failure) {
        let connection = connections[number]
        guard connection.isOpen else { return }
        let received = connections.read(connection)
        let now = clock.now
        switch received {
        case .nothing: return
        case .ended:
            connection.lost()
            failAll(connection, .lost)
        case .bytes(let bytes):
            try take(bytes, from: connection, now)
            refill(number, now)
            if connection.hasUnsent { connections.markDirty(number) }
        }
    }

    private mutating func take(
        _ bytes: UnsafeRawBufferPointer, from connection: BenchConnection, _ now: Int64
    ) throws(Failure) {
        var place = 0
        while true {
            switch connection.scanner.next(in: bytes, from: &place) {
            case .incomplete: return
            case .success(let first, let shape):
                guard let request = connection.takeFirst(), shape == sequence.shape(ofRepliesTo: request.verb) else {
                    throw Bench.notUnderstood
                }
                connection.isProved = true
                liveness.answered(now)
                guard request.counts else { continue }
                lastCountedReplyNs = now
                tally.answered(request.verb, first: first, latencyNs: now - request.sinceNs)
            case .failure(let code):
                // The daemon may be about to close a connection that it does not want: what is sent now would be lost,
                // and counted a second time. In an open loop that is left so, since a request that waits here would
                // count as waiting for the daemon.
                if code == .busy, !connection.isProved, arrivals == nil { connection.heldSinceNs = now }
                // An error without a request says why the daemon refuses this connection.
                guard let request = connection.takeFirst() else {
                    if clock.isCounting { tally.failed(code) }
                    continue
                }
                if code != .busy { connection.isProved = true }
                liveness.answered(now)
                guard request.counts else { continue }
                lastCountedReplyNs = now
                tally.failed(code)
            case .broken: throw Bench.notUnderstood
            }
        }
    }

    private mutating func failAll(_ connection: BenchConnection, _ code: ReplyCode) {
        while let request = connection.takeFirst() {
            liveness.lost()
            if request.counts { tally.failed(code) }
        }
    }

    /// Counts the requests that were due before the end and found no room. Otherwise a daemon that takes no requests
    /// would look fast.
    private mutating func failUnsent() {
        let unsent = arrivals.map { sending.unsent(of: $0) } ?? 0
        if unsent > 0 { tally.failed(.notSent, times: unsent) }
    }

    // MARK: Time

    private mutating func tick(_ now: Int64) {
        nextTickNs = now + BenchLimits.tickNs
        if connections.countOpen(isCounting: clock.isCounting) > 0 { liveness.isOpen(now) }
        if !sending.isOver {
            release(now)
            reopen(now)
        }
        progress.show(tally, now, isCounting: clock.isCounting)
    }

    /// Connections that were not closed within a whole tick are wanted after all.
    private mutating func release(_ now: Int64) {
        for number in 0..<connections.count {
            guard let sinceNs = connections[number].heldSinceNs, now - sinceNs >= BenchLimits.tickNs else { continue }
            connections[number].heldSinceNs = nil
            connections[number].isProved = true
            refill(number, now)
        }
    }

    /// Reopens lost connections, until the daemon refuses one.
    private mutating func reopen(_ now: Int64) {
        for number in 0..<connections.count where !connections[number].isOpen {
            guard connections.reopen(number) else { return }
            refill(number, now)
        }
    }
}
