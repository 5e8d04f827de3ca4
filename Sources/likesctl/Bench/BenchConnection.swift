import Glibc

/// One connection of the load: what is under way on it, and what its socket has not taken yet. No request allocates.
final class BenchConnection {
    /// -1 while there is no connection.
    private(set) var descriptor: Int32 = -1
    var scanner = ReplyScanner()
    /// Whether it waits to be flushed in this turn.
    var isDirty = false
    /// Whether epoll tells when the socket takes more.
    var watchesOutput = false
    private var underWay: RequestsUnderWay
    private var unsent: UnsentRequests

    init(underWayMax: Int, outputBytesMax: Int, requestBytesMax: Int) {
        underWay = RequestsUnderWay(countMax: underWayMax)
        unsent = UnsentRequests(bytesMax: outputBytesMax, requestBytesMax: requestBytesMax)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    var isOpen: Bool { descriptor >= 0 }
    var hasUnsent: Bool { !unsent.isEmpty }
    var hasRoom: Bool { isOpen && underWay.hasRoom && unsent.hasRoom }

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
        unsent.removeAll()
    }

    /// Writes a request behind those not sent yet. There has to be room.
    func append(_ place: UInt64, of sequence: borrowing RequestSequence, sinceNs: Int64, counts: Bool) {
        let verb = unsent.append(place, of: sequence)
        underWay.append(RequestsUnderWay.Entry(sinceNs: sinceNs, verb: verb, counts: counts))
    }

    /// The request that the next reply answers; nil when none is under way.
    func takeFirst() -> RequestsUnderWay.Entry? { underWay.popFirst() }

    /// Gives the socket what it takes. Whether it still works.
    func flush() -> Bool { unsent.send(to: descriptor) }
}
