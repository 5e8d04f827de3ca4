import Glibc
import LikesctlCommands

/// One connection of the load: what is under way on it, and what its socket has not taken yet. Its memory is laid out
/// once, so that no request allocates.
final class BenchConnection {
    /// One request under way.
    struct UnderWay {
        /// When its latency began, in nanoseconds since the run's start.
        var sinceNs: Int64
        var verb: BenchVerb
        /// Whether it is past the warm-up.
        var counts: Bool
    }

    /// -1 while there is no connection.
    private(set) var descriptor: Int32 = -1
    var scanner = ReplyScanner()
    /// Whether it waits to be flushed in this turn.
    var isDirty = false
    /// Whether epoll tells when the socket takes more.
    var watchesOutput = false

    private let entries: UnsafeMutablePointer<UnderWay>
    private let entriesMax: Int
    private var firstEntry = 0
    private(set) var underWay = 0

    private let output: UnsafeMutableRawPointer
    private let outputBytesMax: Int
    private let requestBytesMax: Int
    private var outputStart = 0
    private var outputEnd = 0

    init(underWayMax: Int, outputBytesMax: Int, requestBytesMax: Int) {
        entriesMax = underWayMax
        self.outputBytesMax = outputBytesMax + requestBytesMax
        self.requestBytesMax = requestBytesMax
        entries = .allocate(capacity: underWayMax)
        output = .allocate(byteCount: self.outputBytesMax, alignment: 16)
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        entries.deallocate()
        output.deallocate()
    }

    var isOpen: Bool { descriptor >= 0 }
    var hasUnsent: Bool { outputEnd > outputStart }
    var hasRoom: Bool {
        isOpen && underWay < entriesMax && outputBytesMax - (outputEnd - outputStart) >= requestBytesMax
    }

    /// Takes over a connected socket.
    func opened(_ connected: Int32) {
        descriptor = connected
        scanner = ReplyScanner()
        watchesOutput = false
    }

    /// Closes it. What is under way stays, to be taken by `takeFirst`; its replies will not come any more.
    func lost() {
        close(descriptor)
        descriptor = -1
        outputStart = 0
        outputEnd = 0
    }

    /// Writes a request behind those not sent yet. There has to be room.
    func append(_ place: UInt64, of sequence: borrowing RequestSequence, sinceNs: Int64, counts: Bool) {
        if outputBytesMax - outputEnd < requestBytesMax {
            output.copyMemory(from: output + outputStart, byteCount: outputEnd - outputStart)
            outputEnd -= outputStart
            outputStart = 0
        }
        let (verb, bytes) = sequence.write(place, to: output + outputEnd)
        outputEnd += bytes
        var slot = firstEntry + underWay
        if slot >= entriesMax { slot -= entriesMax }
        (entries + slot).initialize(to: UnderWay(sinceNs: sinceNs, verb: verb, counts: counts))
        underWay += 1
    }

    /// The request that the next reply answers; nil when none is under way.
    func takeFirst() -> UnderWay? {
        guard underWay > 0 else { return nil }
        let entry = entries[firstEntry]
        firstEntry = firstEntry + 1 == entriesMax ? 0 : firstEntry + 1
        underWay -= 1
        return entry
    }

    /// Gives the socket what it takes. Whether it still works.
    func flush() -> Bool {
        while hasUnsent {
            let sent = send(
                descriptor, output + outputStart, outputEnd - outputStart, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
            if sent < 0 {
                if errno == EINTR { continue }
                return errno == EAGAIN
            }
            outputStart += sent
        }
        outputStart = 0
        outputEnd = 0
        return true
    }
}
