import Glibc
import LikesctlCommands

/// One run of the load: one thread, one epoll, and nothing allocated for a request.
struct BenchRun: ~Copyable {
    enum Ending: String {
        case finished
        case interrupted
        /// No connection could be had for `BenchLimits.goneNs`.
        case gone
        /// Requests were under way and none was answered for as long as the daemon may take.
        case silent
    }

    let options: BenchOptions
    private let socketPath: String
    private let sequence: RequestSequence
    private let warmupNs: Int64
    /// nil: no limit.
    private let endNs: Int64?
    private let answerNsMax: Int64
    private var schedule: ArrivalSchedule?
    /// When the next request of an open loop is due.
    private var dueNs: Int64 = 0

    private var poller: BenchPoller
    private var connections: [BenchConnection]
    private var dirty: [Int] = []
    private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: BenchLimits.readBytes, alignment: 16)

    private var startedNs: Int64 = 0
    /// Requests written so far, warm-up included, and how many of them count.
    private var written: UInt64 = 0
    private var counted: Int64 = 0
    private var underWay = 0
    /// When the last request was written; nil while more are to come.
    private var sendingEndedNs: Int64?
    private var sendLag = SendLag()
    /// When the last request of an open loop that was sent was due.
    private var lastDueNs: Int64 = 0
    private var lastCountedReplyNs: Int64 = 0
    /// When something was answered last, or the first request after a pause was sent.
    private var aliveNs: Int64 = 0
    private var lastOpenNs: Int64 = 0
    private var nextTickNs: Int64 = 0
    private var cpuAtStart = 0.0
    private var isCounting = false
    private var interrupts = 0
    private(set) var ending = Ending.finished
    private(set) var tally = BenchTally()
    private var progress: BenchProgress

    /// `answerMs`: when no answer came for this long, none will.
    init(_ options: BenchOptions, socketPath: String, answerMs: Int64) throws(Failure) {
        self.options = options
        self.socketPath = socketPath
        connectionsLeast = options.connections
        sequence = RequestSequence(options)
        warmupNs = Self.nanoseconds(options.warmup)
        endNs = options.durationEffective.map { Self.nanoseconds(options.warmup) + Self.nanoseconds($0) }
        answerNsMax = answerMs * 1_000_000
        schedule = options.rate.map { ArrivalSchedule(rate: $0, seed: UInt64(options.seed)) }
        progress = BenchProgress()
        let bounds = BenchLimits.underWayPerConnection
        let share = BenchLimits.underWayMax / options.connections
        let isOpenLoop = options.rate != nil
        let requestBytesMax = sequence.requestBytesMax
        let outputBytes =
            isOpenLoop
            ? BenchLimits.outputBytes : min(options.pipeline * requestBytesMax, BenchLimits.pipelineBytesMax)
        connections = (0..<options.connections).map { _ in
            BenchConnection(
                underWayMax: isOpenLoop ? min(max(share, bounds.lowerBound), bounds.upperBound) : options.pipeline,
                outputBytesMax: min(outputBytes, BenchLimits.outputBytesMax / options.connections),
                requestBytesMax: requestBytesMax)
        }
        dirty.reserveCapacity(options.connections)
        poller = try BenchPoller()
    }

    deinit { input.deallocate() }

    /// Seconds measured: up to the end, or to the last answer where that came later.
    var seconds: Double {
        max(0, Double(max(lastCountedReplyNs, sendingEndedNs ?? 0) - warmupNs) / 1e9)
    }

    /// How much later than the last request was due the last answer came; 0 in a closed loop.
    var behindNs: Int64 { schedule == nil ? 0 : max(0, lastCountedReplyNs - lastDueNs) }

    /// How many connections were open when the fewest were; those that the daemon refuses are opened again and again.
    private(set) var connectionsLeast: Int

    /// Seconds of CPU that the generator itself used while it measured.
    private(set) var cpuSeconds = 0.0

    /// Runs to the end, however that comes.
    mutating func run() throws(Failure) {
        try connect()
        startedNs = Self.clockNs()
        if schedule != nil { dueNs = schedule?.next() ?? 0 }
        var now: Int64 = 0
        for number in connections.indices where schedule == nil { refill(number, now) }
        while true {
            if !isCounting, now >= warmupNs { beginCounting() }
            if now >= nextTickNs { tick(now) }
            // First what a connection takes again: it has room for what is due then.
            flush()
            // What is due by now is sent even when the run ends now: left out, nobody would know what became of it.
            sendDue(now)
            endSending(now)
            flush()
            if isDone(now) { break }
            // As much time as is left now: what was done above took some.
            for place in 0..<poller.wait(ns: wait(sinceStartNs())) {
                switch poller.found(place) {
                case .interrupt: interrupts += 1
                case .input(let number): try receive(number)
                case .output(let number): markDirty(number)
                }
            }
            now = sinceStartNs()
        }
        if isCounting { cpuSeconds = Self.cpuNow() - cpuAtStart }
        for connection in connections { failAll(connection, .noAnswer) }
        failUnsent()
        progress.clear()
    }

    private mutating func beginCounting() {
        isCounting = true
        cpuAtStart = Self.cpuNow()
    }

    /// Until when there is nothing to do unless a connection wakes us.
    private func wait(_ now: Int64) -> Int64 {
        var until = nextTickNs
        if schedule != nil, sendingEndedNs == nil, !sendLag.isHeld { until = min(until, dueNs) }
        if !isCounting { until = min(until, warmupNs) }
        if sendingEndedNs == nil, let endNs { until = min(until, endNs) }
        return until - now
    }

    private mutating func endSending(_ now: Int64) {
        guard sendingEndedNs == nil else { return }
        if interrupts > 0 {
            ending = .interrupted
            sendingEndedNs = now
        } else if counted == options.requests {
            sendingEndedNs = now
        } else if let endNs, schedule == nil ? now >= endNs : dueNs >= endNs && now >= endNs {
            // In an open loop what was due before the end is still sent: leaving it out would hide a stall.
            sendingEndedNs = endNs
        }
    }

    private mutating func isDone(_ now: Int64) -> Bool {
        if sendingEndedNs != nil, underWay == 0 || interrupts > 1 { return true }
        if underWay > 0, now - aliveNs > answerNsMax {
            ending = .silent
        } else if now - lastOpenNs > BenchLimits.goneNs {
            ending = .gone
        } else {
            return false
        }
        if sendingEndedNs == nil { sendingEndedNs = now }
        return true
    }

    // MARK: Sending

    /// Open loop: writes all requests that are due.
    private mutating func sendDue(_ now: Int64) {
        guard schedule != nil, sendingEndedNs == nil else { return }
        for _ in 0..<BenchLimits.arrivalsPerWakeUp {
            guard dueNs <= now, endNs.map({ dueNs < $0 }) ?? true, counted != options.requests else { return }
            guard let number = connectionWithRoom() else {
                sendLag.held()
                return
            }
            let counts = dueNs >= warmupNs
            let lagNs = sendLag.sent(dueNs: dueNs, now)
            if counts { tally.sent(lagNs: lagNs) }
            append(to: number, sinceNs: dueNs, counts: counts, now)
            lastDueNs = dueNs
            dueNs = schedule?.next() ?? Int64.max
        }
    }

    /// Each in its turn, those without room passed over.
    private func connectionWithRoom() -> Int? {
        let first = Int(written % UInt64(connections.count))
        for step in 0..<connections.count {
            let number = first + step < connections.count ? first + step : first + step - connections.count
            if connections[number].hasRoom { return number }
        }
        return nil
    }

    /// Closed loop: writes as many requests as the connection may have under way.
    private mutating func refill(_ number: Int, _ now: Int64) {
        guard schedule == nil else { return }
        endSending(now)
        let counts = now >= warmupNs
        while sendingEndedNs == nil, connections[number].hasRoom, counted != options.requests {
            append(to: number, sinceNs: now, counts: counts, now)
        }
    }

    private mutating func append(to number: Int, sinceNs: Int64, counts: Bool, _ now: Int64) {
        connections[number].append(written, of: sequence, sinceNs: sinceNs, counts: counts)
        written += 1
        if counts { counted += 1 }
        if underWay == 0 { aliveNs = now }
        underWay += 1
        markDirty(number)
    }

    private mutating func markDirty(_ number: Int) {
        guard connections[number].isOpen, !connections[number].isDirty else { return }
        connections[number].isDirty = true
        dirty.append(number)
    }

    private mutating func flush() {
        for number in dirty {
            let connection = connections[number]
            connection.isDirty = false
            guard connection.isOpen else { continue }
            // One that does not work any more is closed when it is read: a last reply may say why.
            guard connection.flush() else { continue }
            if connection.hasUnsent != connection.watchesOutput {
                connection.watchesOutput = connection.hasUnsent
                poller.watchOutput(connection.descriptor, number: number, connection.hasUnsent)
            }
        }
        dirty.removeAll(keepingCapacity: true)
    }

    // MARK: Receiving

    private mutating func receive(_ number: Int) throws(Failure) {
        let connection = connections[number]
        guard connection.isOpen else { return }
        let count = recv(connection.descriptor, input.baseAddress, input.count, Int32(MSG_DONTWAIT))
        let now = sinceStartNs()
        guard count > 0 else {
            if count == 0 || (errno != EAGAIN && errno != EINTR) {
                connection.lost()
                failAll(connection, .lost)
            }
            return
        }
        let bytes = UnsafeRawBufferPointer(rebasing: input[..<count])
        var place = 0
        reading: while true {
            switch connection.scanner.next(in: bytes, from: &place) {
            case .incomplete: break reading
            case .success(let first):
                guard let request = connection.takeFirst() else { throw Self.notUnderstood }
                answered(now)
                guard request.counts else { continue }
                lastCountedReplyNs = now
                tally.answered(request.verb, first: first, latencyNs: now - request.sinceNs)
            case .failure(let code):
                // Without a request it is why the daemon does not want this connection.
                guard let request = connection.takeFirst() else {
                    if isCounting { tally.failed(code) }
                    continue
                }
                answered(now)
                guard request.counts else { continue }
                lastCountedReplyNs = now
                tally.failed(code)
            case .broken: throw Self.notUnderstood
            }
        }
        refill(number, now)
        if connection.hasUnsent { markDirty(number) }
    }

    private mutating func answered(_ now: Int64) {
        underWay -= 1
        aliveNs = now
    }

    private mutating func failAll(_ connection: BenchConnection, _ code: ReplyCode) {
        while let request = connection.takeFirst() {
            underWay -= 1
            if request.counts { tally.failed(code) }
        }
    }

    /// Counts what was due before the end and found no room: a daemon that takes nothing must not look well for it.
    private mutating func failUnsent() {
        guard var rest = schedule, let ended = sendingEndedNs else { return }
        let until = min(ended, endNs ?? ended)
        let drawnMax = BenchLimits.unsentDrawnMax
        let warmup = rest.skip(from: dueNs, before: min(warmupNs, until), drawnMax: drawnMax)
        var unsent = rest.skip(from: warmup.nextNs, before: until, drawnMax: drawnMax).count
        if let requests = options.requests { unsent = min(unsent, requests - counted) }
        if unsent > 0 { tally.failed(.notSent, times: unsent) }
    }

    private static let notUnderstood = Failure(
        .notUnderstood, "an answer was not understood: is this likesd's socket, and of this version?")

    // MARK: Connections and time

    private mutating func connect() throws(Failure) {
        try DescriptorLimit.raise(for: connections.count)
        for number in connections.indices {
            let descriptor = try SocketClient.descriptor(
                connectedTo: socketPath, timeoutMs: answerNsMax / 1_000_000)
            connections[number].opened(descriptor)
            guard poller.add(descriptor, number: number) else {
                throw Failure(.unreachable, "a connection can't be watched: \(SystemCalls.text(of: errno))")
            }
        }
    }

    private mutating func tick(_ now: Int64) {
        nextTickNs = now + BenchLimits.tickNs
        let open = connections.count { $0.isOpen }
        if open > 0 { lastOpenNs = now }
        if isCounting { connectionsLeast = min(connectionsLeast, open) }
        if sendingEndedNs == nil { reopen(now) }
        progress.show(tally, now, isCounting: isCounting)
    }

    /// Opens again what was lost. What stands in the way shows in the end as `gone`, or as fewer answers.
    private mutating func reopen(_ now: Int64) {
        for number in connections.indices where !connections[number].isOpen {
            do throws(Failure) {
                let descriptor = try SocketClient.descriptor(connectedTo: socketPath, timeoutMs: 1)
                connections[number].opened(descriptor)
                if !poller.add(descriptor, number: number) { connections[number].lost() }
                refill(number, now)
            } catch {
                return
            }
        }
    }

    private func sinceStartNs() -> Int64 { Self.clockNs() - startedNs }

    private static func clockNs() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private static func cpuNow() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func nanoseconds(_ seconds: Double) -> Int64 { Int64((seconds * 1e9).rounded()) }
}
