import LikesProtocol
import LikesSettings
import LikesStorage

/// The bounds of everything that queues, gathers or waits in the core. Those that are the core's own to hold are
/// variables, so that the simulation can draw them small, and they are reached; no configuration does.
package struct Limits: Sendable {
    package static let standard = Limits()

    package init() {}

    /// Connections over MAX_CONNECTIONS for who `getsInWhenFull`: who comes to help has to get in, also where
    /// MAX_CONNECTIONS was lowered below what is there.
    package static let administratorConnectionsMax = 3
    /// What all clients together may make the process hold where nothing says otherwise …
    package static let clientMemoryBytes = 256 * 1024 * 1024
    /// … and of the unit's limit, where there is one: the rest is for the local cache, the core's tables, and what the
    /// kernel has on its way to clients (`EdgeLimits.socketBufferBytes` each).
    package static let clientMemoryShare = 2
    /// Memory goes back to the system once so many bytes of what clients held were freed: less is soon used again …
    package static let givenBackBytesMin = 32 * 1024 * 1024
    /// … and no more often than this, since it takes some 20 ms for each 100 MB.
    package static let giveBackMs: Int64 = 2_000
    /// Places of a connection's queue that are kept when it is empty; more are given back.
    package static let slotsKept = 64
    /// Deadlines of requests that were answered, kept until they come; more are passed over at once.
    static let deadlinesKept = 65_536
    /// Places in a queue that entries left behind: so many more than it has entries are kept, then it is cleared.
    static let placesKept = 1_024
    /// A request that was begun is whole within so many times REQUEST_TIMEOUT_MS …
    package static let requestTimeoutsToFinish: Int64 = 6
    /// … and within this. A client writes it in one go; one that does not takes memory and a place from others.
    package static let requestFinishMsMax: Int64 = 30_000
    /// Who takes no more than a hundredth of the processor has cost little: a unit of `Cost`, some 50 ns, in so long …
    static let microsecondsPerCost: Int64 = 5
    /// … and so much of it in advance, which 4,000 units take.
    static let littleCostMicroseconds: Int64 = 20_000
    /// A connection has to be there for so long before it can have cost little by itself …
    static let newcomerMs: Int64 = 100
    /// … until then the new ones of its sharer together are to take no more than a tenth of the processor, so many
    /// units of `Cost` in a microsecond …
    static let newcomersCostPerMicrosecond: Int64 = 2
    /// … and those that have been there for longer no more than half of it by their claims …
    static let establishedCostPerMicrosecond: Int64 = 10
    /// … or they wait for their turns, and for no longer than this after the last that cost too much.
    static let debtMicrosecondsMax: Int64 = 1_000_000
    /// What was served out of turn has a connection, or a sharer, wait for no more than this of the others' work each.
    static let outOfTurnCostMax = 4_000
    /// Sharers that are remembered without a look at who of them is of no use any more.
    static let sharersKept = 1_024
    /// Requests whose time is over are answered in one turn up to this, each item counted: some 4 ms.
    static let expiryWeightMax = 4_096
    /// Problems of a refused configuration that the reply to RELOAD and the log name; the rest is counted.
    package static let reloadProblemsMax = 16
    /// Requests under way for one connection, each item of MCOUNT and MLIKED counted. At the limit the connection is
    /// not read any further until half of them are answered. Enough for one connection shared by a whole process.
    package var requestsInFlightMax = 1_024
    /// Where clients hold too much memory, what those hold that have not taken their replies for this long …
    package static let unreadMs: Int64 = 1_000
    /// … counts so many times.
    package static let unreadWeight = 4
    /// Changes (LIKE, UNLIKE) under way in the whole daemon: over a second of the best measured write rate.
    /// At the limit: `-BUSY`.
    package var changesWaitingMax = 131_072
    /// … or earlier, where PostgreSQL would not take so many in time, but not below this: two full batches and what
    /// gathers meanwhile.
    package var changesWaitingMin = 8_192
    /// Reads waiting for Redis or PostgreSQL in the whole daemon, each item counted. At the limit: `-BUSY`.
    package var readsWaitingMax = 262_144
    /// A connection with no more under way, each item counted, asks for few counts: they are fetched before those of
    /// others.
    package static let fewInFlightMax = 16
    /// Places for fetches that are kept when they are empty; more are given back.
    static let fetchPlacesKept = 8_192
    /// Changes in one call of admission: about 4 ms of Redis' time.
    package var admissionEntriesMax = 1_024
    /// Items in one read of Redis, and in one `SELECT` of counters.
    package var countersPerCallMax = 1_024
    /// Pairs in one `SELECT`.
    package var pairsPerCallMax = 2_048
    /// Calls of each kind (admission, read, pairs …) on the wire at once; more gathers meanwhile.
    package var callsInFlightMax = 4
    /// Write-throughs on the wire: with more, the lane waits for Redis.
    package var writeThroughsInFlightMax = 4
    /// Fills of Redis after misses on the wire at once. With more misses than Redis takes, some are not filled in: the
    /// next that asks will do it, and none waits behind them.
    package var fillsInFlightMax = 1
    /// Changes folded into one batch. The statement's cost per row was flat between 1,000 and 3,000 rows.
    package var batchChangesMax = 2_048
    /// Times a batch is tried again after a deadlock, serialization failure or lock timeout.
    package static let batchRetriesMax = 8
    /// Users whose rate is counted in the process while Redis is away. At the limit a user's window may start anew.
    package var localRateUsersMax = 262_144
    /// Items that Redis may lack, remembered until they are set there, some 80 bytes each. With so many, no more of
    /// what other hosts left is taken in, and Redis' counters are not read, until some are mended. What was committed
    /// here, is contested by messages, or was seen in Redis and is not right, is noted all the same.
    package var repairsMax = 131_072
    /// Pages of repairs under way: one is read from PostgreSQL, one is set in Redis, one waits in between. An answer of
    /// PostgreSQL's waits for two calls to Redis at most.
    package static let repairPagesMax = 3
    /// A page holds up to `countersPerCallMax` repairs, as many as Redis takes in this time …
    package static let repairWriteMsMax: Int64 = 50
    /// … but not fewer than this for its sake; the first ones are of this size …
    package static let repairPageMin = 256
    /// … and beyond that no more than this part of those that wait.
    package static let repairPoolShare = 8
    /// HEALTH tells of so many repairs …
    package static let repairsShownMin = 8_192
    /// … or when Redis has not been read because of them for this long.
    package static let repairsShownMs: Int64 = 2_000
    /// Items that only this process knows Redis to lack. With so many the lane tells the other hosts without delay, a
    /// batch in between, and nobody is told of what messages contest, which others have heard as well.
    package var repairsUntoldMax = 4_096
    /// Items mended and still to be struck off.
    package var repairsMendedMax = 16_384
    /// Items told to others, or mended and to be struck off, in one statement.
    package var tendItemsMax = 4_096
    /// Mended items wait this long for others, so that they are struck off together.
    package static let mendedWaitMs: Int64 = 200
    /// What other hosts could not write to Redis is looked up this often, with the beat, or up to a quarter later.
    package static let repairPassMs: Int64 = 3_000
    /// … and after a look that failed this much later.
    package static let repairPassRetryMs: Int64 = 400
    /// Each look finds the rows that were noted up to this long before, all rows at first …
    package static let repairRowsSeenMs: Int64 = 10_000
    /// … and all of them again this often, however many dead ones there are to go by.
    package static let repairFullPassMs: Int64 = 30_000
    /// A lane whose row has a journal is tended at least this often.
    package static let laneTendMs: Int64 = 5_000
    /// Each host says this often that it lives, and looks for others that do not: `EdgeLimits.hostSilentSeconds`.
    package static let surveyMs: Int64 = 5_000
    /// The tables are looked at this often, or with the next survey, for what would make answers wrong: about a
    /// millisecond of the lane's time.
    package static let schemaCheckMs: Int64 = 10_000
    /// Where PostgreSQL refuses rows, which they may be the reason for, they are looked at at once, but no more often.
    package static let schemaCheckMsMin: Int64 = 1_000
    /// A line of the log that comes again and again is said once in this time …
    package static let logWindowMs: Int64 = 5_000
    /// … or so often, where lines tell of steps: a connection is tried again within that time.
    package static let logStepsMax = 10
    /// Lanes taken over in one survey, some 130 ms of PostgreSQL's time with full journals; when there were so many,
    /// the next follows at once.
    package var lanesPerSurvey = 8
    /// Generations of other hosts that a survey tells of.
    package static let generationsPerSurvey = 16
    /// Batches after which a lane gets a new number, and so a new row: as long as a snapshot somewhere keeps PostgreSQL
    /// from clearing up, each batch passes the dead versions of all before it.
    package var batchesPerLane = 1_024
    /// Where other hosts use other data in Redis, what they use is looked up this often …
    package static let disputeAskMs: Int64 = 500
    /// … and once one names it again, this long after it was first seen or later, Redis is believed by nobody: who did
    /// not hear of a new generation yet hears of it within a beat …
    package static let disputeConfirmMs: Int64 = 4_000
    /// … and who has said nothing by `surveyMs` and this much later is dead.
    package static let lateSignMs: Int64 = 1_000
    package static let eraMax = Generation.eraMax
    /// How long it is said that Redis refused something after it last did.
    static let refusalShownMs: Int64 = 60_000
    /// How long an entry of the local cache is fresh at most while this host hears nothing of what others change: with
    /// the time until that is noticed, less than the 30 s after which all is right.
    static let unheardCacheMs: Int64 = 10_000
    /// What a host meant for another Redis counts once it has said nothing for this long: a living one finds that out
    /// itself.
    package static let straySilentMs: Int64 = surveyMs + lateSignMs
    /// So many transactions that were to be written to another Redis are told of: one is enough for an era.
    package static let straysPerSurvey = 64
    /// Numbers that PostgreSQL or a host gives one after the other: transactions, epochs, batches, signs of life.
    package static let sequenceMax: Int64 = 1 << 62
    /// A Redis database in which another database's counts were found again, after it was taken over, is left alone
    /// this long at a time …
    package static let foreignHoldMs: Int64 = 30_000
    /// … and taken over again once nothing has spoken for hosts of that database for this long.
    package static let foreignMemoryMs: Int64 = 300_000
    /// A counter in Redis is believed for this long after PostgreSQL was asked for it: a stranger who may write there
    /// can put back what was there before. With what the local cache and the calls add it is less than 30 s …
    package static let sealAgeMsMax: Int64 = 25_000
    /// … and in the local cache it is fresh for this long after that at most …
    package static let sealedCacheMsMax: Int64 = 29_000
    /// … and where it is of a moment further ahead than this, clocks were set.
    package static let sealAheadMsMax: Int64 = 5_000
    package static let versionMax = CounterState.versionMax
    /// Versions that PostgreSQL may contradict, to be held against it; what comes beyond comes again.
    package var doubtsMax = 64
    /// PostgreSQL is asked about them no more often.
    package static let doubtMs: Int64 = 100
    /// What is cached is thrown away for a contradiction no more often than this: who can write to Redis could
    /// otherwise keep all hosts from caching anything.
    package static let eraMsMin: Int64 = 5_000
    /// An answer of PostgreSQL's that took longer, by this host's clock, is not put into Redis: it is read again.
    package static let answerAgeMsMax: Int64 = 1_000
    /// Counters that changed, here or on another host, or were written to Redis are remembered until the host has heard
    /// a message said this much later, and as long as a call to Redis may take: for the answer's age, with room …
    package static let recentCountersMs: Int64 = 1_500
    /// … but no more of them than this.
    package var recentCountersMax = 524_288
    /// … and memory for so many is never given back.
    package var recentCountersKept = 4_096
    /// Entries of the local cache that are passed before one goes that was used: where nearly all were, which one goes
    /// matters little, and nobody is to wait for a look at a million.
    package var cacheHandStepsMax = 1_024
    /// The host says a number to itself through Redis this often; unheard by the next, its subscription is dead.
    package static let beatMs: Int64 = 3_000
    /// … and, while it remembers what it wrote, this much and as long as a call to Redis may take after another.
    package static let writingBeatMs: Int64 = 1_000
    /// A number that was not heard in time is waited for this much longer.
    package static let beatGraceMs: Int64 = 100
    /// Repairs that failed are tried again this much later.
    package static let repairRetryMs: Int64 = 1_000
    /// A first retry of a lost backend after about this long, doubled each time …
    package static let reconnectMsMin: Int64 = 50
    /// … up to this: a backend that returned is used within 2 s.
    package static let reconnectMsMax: Int64 = 1_000
    /// An attempt to connect to Redis takes no longer.
    package static let redisConnectMsMax: Int64 = 1_000
    /// An attempt to connect to PostgreSQL takes no longer (its fork and authentication are slow under load).
    package static let postgresConnectMsMax: Int64 = 3_000
    /// While the lane has a primary the reader stays at a standby no longer.
    package static let standbyMsMax: Int64 = 5_000
    /// How much longer than a request's deadline PostgreSQL's own statement timeout may take to end a call before its
    /// connection is given up as hung.
    package static let postgresHungGraceMs: Int64 = 1_000
    /// A process that crashed sooner after its start than this belongs to a row of crashes: longer than the watchdog
    /// takes to end one that hangs, several times over …
    package static let crashRunMsMax: Int64 = 120_000
    /// … of which so many are restarted at once. After that the next one waits …
    package static let crashesInARowMax = 5
    /// … for this long: what is in the way may go by itself, so nobody has to come and start it again, and two starts
    /// a minute harm nobody.
    package static let crashPauseMs: Int64 = 30_000
    /// A longer row is not told from this one.
    package static let crashesCountedMax = 1_000_000
    /// Stopping takes no longer, whatever is under way; below the unit's TimeoutStopSec.
    package static let drainMsMax: Int64 = 15_000
}
