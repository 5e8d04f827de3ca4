import Glibc

/// One connection of the load: the requests under way on it, and those that its socket has not taken yet. No request
/// allocates.
final class BenchConnection {
    /// -1 while there is no connection.
    private(set) var descriptor: Int32 = -1
    var scanner = ReplyScanner()
    /// Whether it waits to be flushed in this turn.
    var isDirty = false
    /// Whether epoll reports when the socket takes more.
    var watchesOutput = false
    /// Whether it is known to be served: the daemon answers BUSY to one that it closes.
    var isProved = false
    /// Since when nothing is sent, because the daemon may be about to close the connection; nil: requests are sent.
    var heldSinceNs: Int64?
    private var underWay: RequestsUnderWay
    private var unsent: UnsentRequests

    init(underWayMax: Int, outputBytesMax: Int, requestBytesMax: Int) {
        underWay = RequestsUnderWay(countMax: underWayMax)
        unsent = UnsentRequests(bytesMax: outputBytesMax, requestBytesMax: requestBytesMax)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    var isOpen: Bool { descriptor >= 0 }
    var hasUnsent: Bool { !unsent.isEmpty }
    var hasRoom: Bool { isOpen && heldSinceNs == nil && underWay.hasRoom && unsent.hasRoom }

    /// Takes over a connected socket.
    func opened(_ connected: Int32) {
        descriptor = connected
        scanner = ReplyScanner()
        watchesOutput = false
        isProved = false
        heldSinceNs = nil
    }

    /// Closes it. The requests under way will get no replies; `takeFirst` still returns them.
    func lost() {
        close(descriptor)
        descriptor = -1
        unsent.removeAll()
    }

    /// Appends a request to those not sent yet. There must be room.
    func append(_ place: UInt64, of sequence: borrowing RequestSequence, sinceNs: Int64, counts: Bool) {
        let verb = unsent.append(place, of: sequence)
        underWay.append(RequestsUnderWay.Entry(sinceNs: sinceNs, verb: verb, counts: counts))
    }

    /// The request that the next reply answers; nil when none is under way.
    func takeFirst() -> RequestsUnderWay.Entry? { underWay.popFirst() }

    /// Gives the socket as much as it takes. False: it does not work any more.
    func flush() -> Bool { unsent.send(to: descriptor) }
}
