import Glibc
import LikesctlCommands

/// The connections of the load, and the epoll that waits for them.
struct BenchConnections: ~Copyable {
    private let socketPath: String
    private let all: [BenchConnection]
    private let poller: BenchPoller
    /// Numbers of the connections that may have something to send.
    private var dirty: [Int] = []
    private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: BenchLimits.readBytes, alignment: 16)
    /// The smallest number that were open at one time. Connections that the daemon refuses are opened again and again.
    private(set) var openLeast: Int

    init(_ options: BenchOptions, socketPath: String, requestBytesMax: Int) throws(Failure) {
        self.socketPath = socketPath
        openLeast = options.connections
        let bounds = BenchLimits.underWayPerConnection
        let share = BenchLimits.underWayMax / options.connections
        let isOpenLoop = options.rate != nil
        let outputBytes =
            isOpenLoop
            ? BenchLimits.outputBytes : min(options.pipeline * requestBytesMax, BenchLimits.pipelineBytesMax)
        all = (0..<options.connections).map { _ in
            BenchConnection(
                underWayMax: isOpenLoop ? min(max(share, bounds.lowerBound), bounds.upperBound) : options.pipeline,
                outputBytesMax: min(outputBytes, BenchLimits.outputBytesMax / options.connections),
                requestBytesMax: requestBytesMax)
        }
        dirty.reserveCapacity(options.connections)
        poller = try BenchPoller()
    }

    deinit { input.deallocate() }

    var count: Int { all.count }

    subscript(_ number: Int) -> BenchConnection { all[number] }

    // MARK: Opening

    func openAll(timeoutMs: Int64) throws(Failure) {
        try DescriptorLimit.raise(for: all.count)
        for number in all.indices {
            let descriptor = try DaemonClient.descriptor(connectedTo: socketPath, timeoutMs: timeoutMs)
            all[number].opened(descriptor)
            guard poller.add(descriptor, number: number) else {
                throw Failure(.unreachable, "a connection can't be watched: \(SystemCalls.text(of: errno))")
            }
        }
    }

    /// Reopens a lost connection. False: the daemon takes none now. If it never does, the run ends as `gone`, or with
    /// fewer answers.
    func reopen(_ number: Int) -> Bool {
        do throws(Failure) {
            let descriptor = try DaemonClient.descriptor(connectedTo: socketPath, timeoutMs: 1)
            all[number].opened(descriptor)
            if !poller.add(descriptor, number: number) { all[number].lost() }
            return true
        } catch {
            return false
        }
    }

    /// How many are open. `isCounting`: past the warm-up.
    mutating func countOpen(isCounting: Bool) -> Int {
        let open = all.count { $0.isOpen }
        if isCounting { openLeast = min(openLeast, open) }
        return open
    }

    // MARK: Sending

    /// A connection with room for a request; the search begins at the one that `turn` chooses. nil: none has room.
    func withRoom(_ turn: UInt64) -> Int? {
        let first = Int(turn % UInt64(all.count))
        for step in 0..<all.count {
            let number = first + step < all.count ? first + step : first + step - all.count
            if all[number].hasRoom { return number }
        }
        return nil
    }

    mutating func markDirty(_ number: Int) {
        guard all[number].isOpen, !all[number].isDirty else { return }
        all[number].isDirty = true
        dirty.append(number)
    }

    /// Gives the sockets as much as they take.
    mutating func flush() {
        for number in dirty {
            let connection = all[number]
            connection.isDirty = false
            guard connection.isOpen else { continue }
            // A connection that does not work any more is closed when it is read: a last reply may say why.
            guard connection.flush() else { continue }
            if connection.hasUnsent != connection.watchesOutput {
                connection.watchesOutput = connection.hasUnsent
                poller.watchOutput(connection.descriptor, number: number, connection.hasUnsent)
            }
        }
        dirty.removeAll(keepingCapacity: true)
    }

    // MARK: Receiving

    /// Waits at most this many nanoseconds. Returns the number of events; `found` returns each.
    func wait(ns: Int64) -> Int { poller.wait(ns: ns) }

    func found(_ place: Int) -> BenchPoller.Found { poller.found(place) }

    enum Received {
        /// They stay until the next read.
        case bytes(UnsafeRawBufferPointer)
        case nothing
        case ended
    }

    /// Reads once.
    func read(_ connection: BenchConnection) -> Received {
        let count = recv(connection.descriptor, input.baseAddress, input.count, Int32(MSG_DONTWAIT))
        if count > 0 { return .bytes(UnsafeRawBufferPointer(rebasing: input[..<count])) }
        return count == 0 || (errno != EAGAIN && errno != EINTR) ? .ended : .nothing
    }
}
