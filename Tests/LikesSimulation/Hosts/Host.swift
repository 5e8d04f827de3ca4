import LikesCore
import LikesStorage

/// What waits for a host's event loop.
enum Inbound {
    case wire(Int32, ToHost)
    /// A client has sent something.
    case readable(Int)
    /// A client is gone: its connection in the core.
    case closed(ConnectionID)
    /// What a node says of all of a cluster; nil: none answered.
    case cluster(ClusterView?)
}

/// A running core, at one place: to look at it costs no copy of all that it holds.
final class Process {
    var core: Core

    init(_ core: Core) { self.core = core }
}

/// A host: one process of likesd, or the time between two.
struct Host {
    var process: Process?
    var life: Int32 = 0
    /// What its processes before had all hosts drop.
    var erasBegunBefore: Int64 = 0
    /// Counts that its processes before took from standbys, and refused.
    var standbyCountsBefore: (answered: Int64, refused: Int64) = (0, 0)
    /// Its monotonic clock at the simulation's start.
    var origin: Micros
    var pausedUntil: Micros = 0
    /// Which Redis, and which database, it is pointed at.
    var redis = 0
    let database: Int
    /// Calls to Redis under way in several slices.
    var sliced: [NodeCall: SlicedCall] = [:]
    /// The connection of each backend, −1 for none.
    private(set) var links: [Int32]
    var inbox = Ring<Inbound>()
    /// When its next turn is due; `.never`: none is.
    var turnAt: Micros = .never
    var tickAt: Micros = .never
    /// The clock of each node of Redis less the host's, as learnt at the handshake.
    var redisTimeOffsets: [NodePlace: Micros] = [:]
    /// Of which slot each node's marker is, in a cluster.
    var markerSlots: [NodePlace: Int] = [:]
    /// The client of each of the core's places for connections.
    var clientOfSlot: [Int] = []
    var resumed: [Int] = []
    /// By the number of the server.
    var redisCutUntil: [Int: Micros] = [:]
    var postgresCutUntil: Micros = 0
    /// When connections of each backend were attempted in the last second.
    var attempts: [[Micros]]
    var isStopping = false
    /// The end of its last pause.
    var resumedAt: Micros = -1

    init(origin: Micros, database: Int, standbys: Int) {
        self.origin = origin
        self.database = database
        links = [Int32](repeating: -1, count: 4 + standbys)
        attempts = [[Micros]](repeating: [], count: 4 + standbys)
    }

    /// The connection of the backend, −1 for none.
    subscript(_ backend: Backend) -> Int32 {
        get { backend.place < links.count ? links[backend.place] : -1 }
        set {
            while links.count <= backend.place {
                links.append(-1)
                attempts.append([])
            }
            links[backend.place] = newValue
        }
    }

    /// How many nodes of Redis it may be connected to.
    var redisPlacesCount: Int { max(1, (links.count - 4 - Plan.standbysMax) / 2 + 1) }

    mutating func unlink(place: Int) { links[place] = -1 }

    var isUp: Bool { process != nil }

    func instant(_ now: Micros) -> Instant { Instant(microseconds: now + origin) }
}

/// A program that uses likesd: one connection at a time.
struct Client {
    var host: Int
    /// The core's connection in the host's life that it was made in.
    var connection: ConnectionID?
    var life: Int32 = -1
    /// Its connection among all that there were.
    var serial: Int32 = -1
    /// Requests not read by the host yet, by their first operation.
    var unread = Ring<Int32>()
    /// Requests read, in the order of their replies.
    var waiting = Ring<Int32>()
    /// Requests under way at once.
    var depth: Int
    /// Waits for all replies before the next burst.
    var isClosedLoop: Bool
    var meanGap: Micros

    init(host: Int, depth: Int, isClosedLoop: Bool, meanGap: Micros) {
        self.host = host
        self.depth = depth
        self.isClosedLoop = isClosedLoop
        self.meanGap = meanGap
    }
}
