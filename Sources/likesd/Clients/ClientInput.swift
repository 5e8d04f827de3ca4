import LikesCore
import LikesProtocol

/// A client's bytes on their way in.
struct ClientInput {
    var parser: RequestParser
    /// Bytes read and not yet parsed; empty, without storage, most of the time.
    var bytes: [UInt8] = []
    /// When the first byte of an unfinished request came, or was first looked at; nil: there is no such request.
    var begunAt: Instant?
    /// Parsing stopped because it had cost enough. There may be more requests in `bytes`.
    var isCutShort = false
    /// The core takes no further request now; it will say `.resume`.
    var isBlocked = false
    /// The framing broke; nothing more is parsed.
    var isBroken = false
    /// The client has closed its sending side.
    var hasEnded = false

    init(types: ItemTypes, bytes: [UInt8]) {
        parser = RequestParser(types: types)
        self.bytes = bytes
    }
}
