import CLinux
import LikesProtocol

/// The bounds of everything that queues, gathers or waits at the edge. The core's are in `Limits`.
enum EdgeLimits {
    /// Events of clients taken per wake-up; the rest waits for the next, behind Redis and PostgreSQL. Many, since most
    /// of those that come while others wait are only put into a queue, and who costs little may stand behind them.
    static let clientEventsPerWakeUp = 1_024
    /// Times clients are served before Redis, PostgreSQL and the clock are looked at again: some 8 ms at most.
    static let clientRoundsPerTurn = 8
    /// With fewer clients in a round the next one waits for the loop: it would find nobody.
    static let clientsForAnotherRound = 4
    /// What serving clients may cost in one turn of the loop (`Cost`), some 2 ms: then replies leave, Redis and
    /// PostgreSQL are heard, and it is looked who else has something.
    static let turnCostMax = 40_000
    /// … and what one client may take of it at a time while others wait.
    static let stepCostMax = 4_000
    /// Part of each turn that nobody has but those who are established and cost little …
    static let establishedCostMax = 40_000
    /// … and newcomers of those whose newcomers cost little: some 0.5 ms.
    static let newcomersCostMax = 10_000
    /// Who is served in these parts has sent no more than this, or it does not cost little …
    static let claimBytesMax = 2 * 1024
    /// … and is served up to this cost.
    static let claimCostMax = 1_000
    /// What forgetting those who have gone with requests under way gets of each turn, whatever else it cost.
    static let goneCostMax = 20_000
    /// Connections accepted per wake-up, so that a storm of them does not starve those that are there.
    static let acceptsPerWakeUp = 64
    /// Bytes read from one client per wake-up.
    static let readBytes = 64 * 1024
    /// Replies to cached counts gathered before they go to the client's buffer: an MCOUNT's largest takes 23 KiB.
    static let countRepliesBytes = 32 * 1024
    /// Bytes written but not taken by a client: with more it is not read any further …
    static let outputPausedBytes = 256 * 1024
    /// … until no more than these are left.
    static let outputResumedBytes = 64 * 1024
    /// What the kernel may hold on its way to one client: it doubles the number for its own needs, and counts it as
    /// memory of the unit.
    static let socketBufferBytes: Int32 = 32 * 1024
    /// Unfinished requests are looked for this often while there are any.
    static let sweepMs: Int64 = 1_000
    /// Bytes of a file of the kernel's that says what a cgroup may take.
    static let cgroupFileBytesMax = 4 * 1024
    /// Output buffers kept for the next replies: as many as clients can be served in one wake-up …
    static let spareBuffersMax = 256
    /// … each of at most these bytes. Larger ones are freed once they are empty.
    static let spareBufferBytesMax = 16 * 1024
    /// A client whose framing broke may read the error for this long; what it sends meanwhile is thrown away.
    static let lingerMs: Int64 = 1_000
    /// After accept(2) failed for want of descriptors or memory, it is tried again after this long.
    static let acceptRetryMs: Int64 = 250
    /// Waiting connections the kernel holds; it caps this at net.core.somaxconn.
    static let listenBacklog: Int32 = 4_096
    /// Descriptors beside those of the clients: epoll, timers, signals, backends, log, `serversAskedMax`, and two for
    /// each name that is looked up; with room to spare.
    static let descriptorsReserved = 96
    /// When stopping, how long the last replies may take to leave.
    static let stopFlushMs: Int64 = 1_000
    /// Clients kept over a restart. The socket that they travel in holds some 250 messages of
    /// `descriptorsPerMessage` each.
    static let keptClientsMax = 16_384
    /// Bytes of one, read and not parsed, or not yet written …
    static let keptBytesPerClientMax = 16 * 1024 * 1024
    /// … and over all of them; those for whom there is no room are closed.
    static let keptBytesMax = 64 * 1024 * 1024
    /// Those, names, and what the form adds.
    static let keptFileBytesMax = 96 * 1024 * 1024
    /// Linux passes 253 descriptors in one message.
    static let descriptorsPerMessage = Int(DESCRIPTORS_PER_MESSAGE)
    /// What systemd may take to handle what it was told, or clients are not kept. With `Limits.drainMsMax` and
    /// `stopFlushMs` below the unit's TimeoutStopSec.
    static let systemdMicrosecondsMax: UInt64 = 3_000_000
    /// What systemd is asked to wait for a start beyond the pause after crashes.
    static let startMsMax: Int64 = 30_000
    /// The status line is renewed no more often.
    static let statusMs: Int64 = 2_000
    /// Larger blocks of memory go back to the system when they are freed.
    static let keptBlockBytesMax: Int32 = 1024 * 1024
    /// The list of the process' mapped files: some 10 KiB.
    static let mapsBytesMax = 1024 * 1024
    /// Changes of one admission script's run: some 200 µs of Redis' time, in which it serves nobody else.
    static let admissionEntriesPerScript = 50
    /// Counters, and recent likes, of one write-through script's run.
    static let writesPerScript = 50
    /// Counters taken from one message: hosts of another version may send more than `writesPerScript`. The rest is as
    /// if it had been lost.
    static let countersPerMessage = 1_024
    /// Items of one MGET; each takes two keys.
    static let itemsPerMGET = 500
    /// What one reply of Redis' may hold. The largest that likesd asks for is an MGET of `itemsPerMGET` items, some
    /// 60 KiB, the largest message has some 80 KiB. A longer value that somebody put under a key of ours is passed
    /// over: Redis holds none of more than 512 MiB.
    static let redisReply = ReplyLimits(
        lineBytesMax: 16 * 1024, bulkBytesMax: 128 * 1024, passedOverBytesMax: 512 * 1024 * 1024,
        elementsMax: 4 * 1024, depthMax: 1, replyBytesMax: 512 * 1024)
    /// Commands that Redis did not take yet. A call that waits for longer than REDIS_TIMEOUT_MS ends the connection
    /// earlier.
    static let redisOutputBytesMax = 16 * 1024 * 1024
    /// Bytes of one column in text format: the longest is a character for each row of a batch.
    static let columnBytesMax: Int32 = 64 * 1024
    /// Bytes taken from one connection to PostgreSQL per wake-up: as many as it writes at once.
    static let databaseReadBytes = 8 * 1024
    /// Bytes that PostgreSQL may send until a connection is made, in an answer, or while nothing is asked; and over a
    /// connection's life beside its answers. Parameters of so many bytes cost libpq some 100 ms.
    static let databaseTalkBytesMax = 64 * 1024
    /// … and in an answer for each of its rows: the longest, a repair's, takes 66.
    static let databaseRowBytesMax = 96
    /// Bytes that the names and types of an answer's columns take at most: some 600 of a survey's. libpq drops them,
    /// and the rows behind them, where an error follows.
    static let databaseColumnsBytesMax = 1024
    /// Bytes of failed answers, dropped or not, after which it is looked whether they are held. If they are parameters
    /// libpq holds up to three times as many, and takes some 0.4 ms to look for the next.
    static let databaseDroppedBytesMax = 2 * 1024 * 1024
    /// Bytes of notices that may come with one answer, which nobody keeps: a trigger may warn of each row of a batch.
    static let databaseNoticeBytesMax = 1024 * 1024
    /// A host that said nothing for this long is taken for dead, and its lane, with a journal, taken over: three times
    /// the time between two signs of life.
    static let hostSilentSeconds = 15
    /// A host is forgotten after this long, and its lane with it.
    static let hostForgottenSeconds = 86_400
    /// Bytes of the lock file: a process' number and the end of the line.
    static let lockFileBytesMax = 16
    /// Times the lock file is opened, where who held it has just removed it.
    static let lockTriesMax = 100
    /// Names looked up at once, by one connection; the others wait for their turn.
    static let lookupsMax = 16
    /// A name not found by then is left out this time. Below the limits on attempts to connect
    /// (`Limits.redisConnectMsMax`), so that what is wrong with the name is said, not that nobody answered.
    static let lookupMsMax: Int64 = 800
    /// Addresses of one host's name that are tried, one after the other.
    static let addressesPerNameMax = 16
    /// Servers of PostgreSQL asked at once who they are; the others wait for their turn.
    static let serversAskedMax = 16
    /// A look at them moves on this often: who refused is asked again.
    static let serverStepMs: Int64 = 250
    /// One that does not answer by then keeps nobody from a primary that did. With `Limits.reconnectMsMax` below the
    /// 2 s after which a server that came back is used.
    static let serverAnswerMsMax: Int64 = 750
    /// … and without a primary is waited for this long: half of what an attempt to connect may take.
    static let serverLookMsMax: Int64 = 1_500
    /// While the lane is connected the other servers are asked this often, or up to a quarter later. With a look-up of
    /// their names and `serverAnswerMsMax` below 5 s.
    static let serverWatchMs: Int64 = 2_500
}
