import Glibc
import LikesctlCommands

/// Requests that a connection's socket has not taken yet, as bytes. Its memory is allocated once.
struct UnsentRequests: ~Copyable {
    private let bytes: UnsafeMutableRawPointer
    private let bytesMax: Int
    private let requestBytesMax: Int
    private var start = 0
    private var end = 0

    /// There is room for one request beyond `bytesMax`.
    init(bytesMax: Int, requestBytesMax: Int) {
        self.bytesMax = bytesMax + requestBytesMax
        self.requestBytesMax = requestBytesMax
        bytes = .allocate(byteCount: self.bytesMax, alignment: 16)
    }

    deinit { bytes.deallocate() }

    var isEmpty: Bool { end == start }
    var hasRoom: Bool { bytesMax - (end - start) >= requestBytesMax }

    /// Appends the request at `place` of the sequence. There must be room.
    mutating func append(_ place: UInt64, of sequence: borrowing RequestSequence) -> BenchVerb {
        if bytesMax - end < requestBytesMax {
            bytes.copyMemory(from: bytes + start, byteCount: end - start)
            end -= start
            start = 0
        }
        let (verb, count) = sequence.write(place, to: bytes + end)
        end += count
        return verb
    }

    mutating func removeAll() {
        start = 0
        end = 0
    }

    /// Gives the socket as much as it takes. False: it does not work any more.
    mutating func send(to descriptor: Int32) -> Bool {
        while !isEmpty {
            let sent = Glibc.send(descriptor, bytes + start, end - start, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
            if sent < 0 {
                if errno == EINTR { continue }
                return errno == EAGAIN
            }
            start += sent
        }
        removeAll()
        return true
    }
}
