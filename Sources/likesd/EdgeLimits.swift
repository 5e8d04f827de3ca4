import CLinux
import LikesProtocol

/// The bounds on everything that queues, gathers or waits at the edge. The core's are in `Limits`.
enum EdgeLimits {
    /// Client events taken per wake-up; the rest waits for the next one, behind Redis and PostgreSQL. The number is
    /// high because most events that arrive while others wait are only queued, and clients that cost little may be
    /// behind them.
    static let clientEventsPerWakeUp = 1_024
    /// How often clients are served before Redis, PostgreSQL and the clock are looked at again: some 8 ms at most.
    static let clientRoundsPerTurn = 8
    /// With fewer clients in a round, the next round waits for the loop: it would find nobody.
    static let clientsForAnotherRound = 4
    /// What serving clients may cost in one turn of the loop (`Cost`), some 2 ms. Then replies leave, Redis and
    /// PostgreSQL are read, and the loop looks for other clients with requests.
    static let turnCostMax = 40_000
    /// … and what one client may take of it at a time while others wait.
    static let stepCostMax = 4_000
    /// The part of each turn that is reserved for established connections that cost little …
    static let establishedCostMax = 40_000
    /// … and the part for newcomers from sharers whose newcomers cost little: some 0.5 ms.
    static let newcomersCostMax = 10_000
    /// A client served in these parts has sent no more than this, otherwise it does not cost little …
    static let claimBytesMax = 2 * 1024
    /// … and is served up to this cost.
    static let claimCostMax = 1_000
    /// The part of each turn for forgetting clients that left with requests under way, whatever else the turn cost.
    static let goneCostMax = 20_000
    /// Connections accepted per wake-up, so that a storm of them does not starve existing ones.
    static let acceptsPerWakeUp = 64
    /// Bytes read from one client per wake-up.
    static let readBytes = 64 * 1024
    /// Replies to cached counts gathered before they go into the client's buffer: the largest MCOUNT reply takes 23
    /// KiB.
    static let countRepliesBytes = 32 * 1024
    /// Bytes written but not accepted by a client: beyond this, the client is not read any further …
    static let outputPausedBytes = 256 * 1024
    /// … until at most this many are left.
    static let outputResumedBytes = 64 * 1024
    /// What the kernel may hold on its way to one client: it doubles the number for its own needs, and counts it as the
    /// unit's memory.
    static let socketBufferBytes: Int32 = 32 * 1024
    /// How often unfinished requests are looked for while there are any.
    static let sweepMs: Int64 = 1_000
    /// Bytes of a kernel file that says what a cgroup may take.
    static let cgroupFileBytesMax = 4 * 1024
    /// Output buffers kept for later replies: as many as clients can be served in one wake-up …
    static let spareBuffersMax = 256
    /// … each of at most this size. Larger ones are freed once they are empty.
    static let spareBufferBytesMax = 16 * 1024
    /// A client whose framing broke has this long to read the error; what it sends meanwhile is discarded.
    static let lingerMs: Int64 = 1_000
    /// After accept(2) failed for lack of descriptors or memory, it is tried again after this long.
    static let acceptRetryMs: Int64 = 250
    /// Waiting connections that the kernel holds; it caps this at net.core.somaxconn.
    static let listenBacklog: Int32 = 4_096
    /// Descriptors apart from those of the clients: epoll, timers, signals, backends, log, `serversAskedMax`, one for
    /// each standby, two for each Sentinel or node of a Redis Cluster, and two for each name being looked up; with room
    /// to spare.
    static let descriptorsReserved = 384
    /// At a stop, how long the last replies may take to leave.
    static let stopFlushMs: Int64 = 1_000
    /// Clients kept over a restart. The socket that carries them holds some 250 messages of `descriptorsPerMessage`
    /// each.
    static let keptClientsMax = 16_384
    /// Bytes of one client, read but not parsed, or not yet written …
    static let keptBytesPerClientMax = 16 * 1024 * 1024
    /// … and of all of them; clients that do not fit are closed.
    static let keptBytesMax = 64 * 1024 * 1024
    /// These bytes, names, and what the form adds.
    static let keptFileBytesMax = 96 * 1024 * 1024
    /// Linux passes 253 descriptors in one message.
    static let descriptorsPerMessage = Int(DESCRIPTORS_PER_MESSAGE)
    /// How long systemd may take to handle what it was told; otherwise clients are not kept. Together with
    /// `Limits.drainMsMax` and `stopFlushMs` it is below the unit's TimeoutStopSec.
    static let systemdMicrosecondsMax: UInt64 = 3_000_000
    /// How long systemd is asked to wait for a start, in addition to the pause after crashes.
    static let startMsMax: Int64 = 30_000
    /// The status line is renewed at most this often.
    static let statusMs: Int64 = 2_000
    /// Larger blocks of memory go back to the system when they are freed.
    static let keptBlockBytesMax: Int32 = 1024 * 1024
    /// The list of the process' mapped files: some 10 KiB.
    static let mapsBytesMax = 1024 * 1024
    /// Changes of one run of the admission script: some 200 µs of Redis' time, in which it serves nobody else.
    static let admissionEntriesPerScript = 50
    /// Counters, and recent likes, of one run of a write-through script.
    static let writesPerScript = 50
    /// Counters taken from one message: hosts of another version may send more than `writesPerScript`. The rest is
    /// treated as lost.
    static let countersPerMessage = 1_024
    /// Items of one MGET; each takes two keys.
    static let itemsPerMGET = 500
    /// Limits on one reply from Redis. An MGET of `itemsPerMGET` items takes some 60 KiB, the largest message some 80
    /// KiB, and what a cluster of 1,000 nodes, the most that Redis recommends, says of itself some 200 KiB. A longer
    /// value that somebody put under one of likesd's keys is discarded: Redis holds none of more than 512 MiB.
    static let redisReply = ReplyLimits(
        lineBytesMax: 16 * 1024, bulkBytesMax: 256 * 1024, passedOverBytesMax: 512 * 1024 * 1024,
        elementsMax: 4 * 1024, depthMax: 1, replyBytesMax: 640 * 1024)
    /// How many beats come between two looks at Redis' clock, which are some 9 s apart on an idle host. Clocks that are
    /// a thousandth apart, ten times what is usual, then differ by 9 ms, a small part of a call's time.
    static let beatsPerLookAtClock = 3
    /// Commands that Redis has not accepted yet. A call that waits for longer than REDIS_TIMEOUT_MS ends the connection
    /// earlier.
    static let redisOutputBytesMax = 16 * 1024 * 1024
    /// Bytes of one column in text format: the longest has one character for each row of a batch.
    static let columnBytesMax: Int32 = 64 * 1024
    /// Bytes taken from one connection to PostgreSQL per wake-up: as many as PostgreSQL writes at once.
    static let databaseReadBytes = 8 * 1024
    /// Bytes that PostgreSQL may send until a connection is made, in an answer, while nothing is asked, and over a
    /// connection's life apart from its answers. Parameters of this size cost libpq some 100 ms.
    static let databaseTalkBytesMax = 64 * 1024
    /// … and in an answer for each of its rows: the longest, a repair's, takes 66.
    static let databaseRowBytesMax = 96
    /// Bytes that the names and types of an answer's columns take at most: a survey's take some 600. libpq drops them,
    /// and the rows behind them, if an error follows.
    static let databaseColumnsBytesMax = 1024
    /// Bytes of each of a survey's two lists, about other hosts and about their batches. Both are below
    /// `databaseTalkBytesMax` together.
    static let surveyListBytesMax = 24 * 1024
    /// Bytes of failed answers, dropped or not, after which likesd checks whether they are held. If they are
    /// parameters, libpq holds up to three times as many, and takes some 0.4 ms to search for the next.
    static let databaseDroppedBytesMax = 2 * 1024 * 1024
    /// Bytes of notices that may come with one answer; nobody keeps them. A trigger may warn about each row of a batch.
    static let databaseNoticeBytesMax = 1024 * 1024
    /// A host that was silent for this long counts as dead, and its lane, if it has a journal, is fenced: three
    /// times the interval between two signs of life.
    static let hostSilentSeconds = 15
    /// A host is forgotten after this long, and its lane with it.
    static let hostForgottenSeconds = 86_400
    /// Bytes of the lock file: a process' number and a line end.
    static let lockFileBytesMax = 16
    /// How often the lock file is opened if its former owner has just removed it.
    static let lockTriesMax = 100
    /// Names that one connection looks up at once; the others wait for their turn.
    static let lookupsMax = 16
    /// A name that is not found by then is left out this time. It is below the limits on attempts to connect
    /// (`Limits.redisConnectMsMax`), so that the error is about the name, not about a missing answer.
    static let lookupMsMax: Int64 = 800
    /// Addresses of one host's name that are tried, one after the other.
    static let addressesPerNameMax = 16
    /// PostgreSQL servers that are asked at once who they are; the others wait for their turn.
    static let serversAskedMax = 16
    /// How often a look at them advances: servers that refused are asked again.
    static let serverStepMs: Int64 = 250
    /// A server that does not answer by then no longer delays the use of a primary that did. Together with
    /// `Limits.reconnectMsMax` it is below the 2 s after which a returned server is used.
    static let serverAnswerMsMax: Int64 = 750
    /// … and without a primary it is waited for this long: half of what an attempt to connect may take.
    static let serverLookMsMax: Int64 = 1_500
    /// Behind a pooler, how long a second connection may take to say which session it has: a pool may have no second
    /// session free. It is a part of what an attempt to connect may take.
    static let secondSessionMsMax: Int64 = 500
    /// While the lane is connected the other servers are asked this often, or up to a quarter later. Together with the
    /// look-up of their names and `serverAnswerMsMax` it is below 5 s.
    static let serverWatchMs: Int64 = 2_500
    /// How long a Sentinel may take to answer, connecting included. Then others decide without it.
    static let sentinelAnswerMsMax: Int64 = 1_000
    /// At the start, a Sentinel that has not answered by then no longer delays the choice. Below the limit on an
    /// attempt to connect (`Limits.redisConnectMsMax`), so that the reason is the Sentinels', not a missing answer.
    static let sentinelWaitMsMax: Int64 = 750
    /// Each Sentinel is asked this often, or up to a quarter later, beside its messages about failovers.
    static let sentinelAskMs: Int64 = 1_000
    /// … and at most this often, whatever it says.
    static let sentinelAskMsMin: Int64 = 100
    /// A Sentinel that failed is tried again after this time, or up to twice as much.
    static let sentinelRetryMs: Int64 = 500
    /// How long a node of a Redis Cluster may take to say which node has what, connecting included. Then another one is
    /// asked.
    static let clusterAnswerMsMax: Int64 = 750
    /// The nodes in use are given up for those of another Redis Cluster that REDIS_URL leads to, once none of them has
    /// answered for so long.
    static let clusterGivenUpMs: Int64 = 30_000
    /// The same where a node of another cluster answers at the place of one in use.
    static let clusterReplacedMs: Int64 = 5_000
    /// Messages that a Sentinel may send within `sentinelAskMs`: one tells of one failover of one primary that it
    /// watches. After more, the subscription ends and is made again later.
    static let sentinelMessagesMax = 1_000
}
