import LikesStorage

/// The limits on everything that queues, gathers or waits in the core. Limits on what the core itself holds are
/// variables, so that the simulation can choose them small enough to be reached. No configuration sets them.
package struct Limits: Sendable {
    package static let standard = Limits()

    package init() {}

    /// Connections beyond MAX_CONNECTIONS for clients that `getsInWhenFull`: an administrator has to get in, also if
    /// MAX_CONNECTIONS was lowered below the present number of connections.
    package static let administratorConnectionsMax = 3
    /// The most that all clients together may make the process hold, if nothing else is configured …
    package static let clientMemoryBytes = 256 * 1024 * 1024
    /// … or the divisor for the unit's memory limit, if it has one. The rest is for the local cache, the core's tables,
    /// and the kernel's buffers for clients (`EdgeLimits.socketBufferBytes` each).
    package static let clientMemoryShare = 2
    /// Memory is given back to the system once clients have freed this much, since less is soon used again …
    package static let givenBackBytesMin = 32 * 1024 * 1024
    /// … and at most once in this time, since it takes about 20 ms for each 100 MB.
    package static let giveBackMs: Int64 = 2_000
    /// Slots of a connection's queue that are kept while it is empty. More are given back.
    package static let slotsKept = 64
    /// Deadlines of answered requests that are kept until they come. More are dropped at once.
    static let deadlinesKept = 65_536
    /// How many places that entries left behind a queue may keep before it is cleared of them.
    static let placesKept = 1_024
    /// A request that was begun must arrive whole within this many times REQUEST_TIMEOUT_MS …
    package static let requestTimeoutsToFinish: Int64 = 6
    /// … and within this time. A normal client writes it at once. Any other takes memory and a place from others.
    package static let requestFinishMsMax: Int64 = 30_000
    /// A sharer or connection that takes at most a hundredth of the processor has cost little: one unit of `Cost`,
    /// about 50 ns, in this time …
    static let microsecondsPerCost: Int64 = 5
    /// … and this much in advance: the time of 4,000 units.
    static let littleCostMicroseconds: Int64 = 20_000
    /// A connection must have been there for this long before it can have cost little by itself …
    static let newcomerMs: Int64 = 100
    /// … until then, its sharer's new connections together may take a tenth of the processor at most: this many units
    /// of `Cost` in a microsecond …
    static let newcomersCostPerMicrosecond: Int64 = 2
    /// … and its established connections may take half of it at most by their claims …
    static let establishedCostPerMicrosecond: Int64 = 10
    /// … otherwise they wait for their turns, at most this long after the last one that cost too much.
    static let debtMicrosecondsMax: Int64 = 1_000_000
    /// For service out of turn, a connection or a sharer has to wait for at most this much of the others' work each.
    static let outOfTurnCostMax = 4_000
    /// Sharers that are kept before the ones of no more use are looked for.
    static let sharersKept = 1_024
    /// Weight of the missed deadlines answered in one turn, where each item counts: about 4 ms.
    static let expiryWeightMax = 4_096
    /// How many problems of a refused configuration the log and the reply to RELOAD name. The others are counted.
    package static let reloadProblemsMax = 16
    /// Requests under way on one connection, where each item of MCOUNT and MLIKED counts. At the limit, the connection
    /// is not read until half of them are answered. Enough for one connection shared by a whole process.
    package var requestsInFlightMax = 1_024
    /// If clients hold too much memory, what a connection holds that has not taken its replies for this long …
    package static let unreadMs: Int64 = 1_000
    /// … counts this many times.
    package static let unreadWeight = 4
    /// Changes (LIKE, UNLIKE) under way in the whole daemon: more than a second at the best measured write rate. At the
    /// limit: `-BUSY`.
    package var changesWaitingMax = 131_072
    /// If PostgreSQL would not take so many in time, the limit is lower, but never below this: two full batches and
    /// what gathers meanwhile.
    package var changesWaitingMin = 8_192
    /// Reads waiting for Redis or PostgreSQL in the whole daemon, where each item counts. At the limit: `-BUSY`.
    package var readsWaitingMax = 262_144
    /// A connection asks for few counts if it has at most this many under way, where each item counts. They are fetched
    /// before the counts of others.
    package static let fewInFlightMax = 16
    /// Places for fetches that are kept while they are empty. More are given back.
    static let fetchPlacesKept = 8_192
    /// Changes in one call for admission: about 4 ms of Redis' time.
    package var admissionEntriesMax = 1_024
    /// Items in one read from Redis, and in one `SELECT` of counters.
    package var countersPerCallMax = 1_024
    /// Pairs in one `SELECT`.
    package var pairsPerCallMax = 2_048
    /// Pages of LIKES or LIKERS in one `SELECT` …
    package var listsPerCallMax = 64
    /// … and how many rows they may have together. One page may have more.
    package var listRowsPerCallMax = 4_096
    /// Calls of each kind (admission, read, pairs …) on the wire at once. Meanwhile more requests gather for the next.
    package var callsInFlightMax = 4
    /// Write-throughs on the wire. At the limit, the lane waits for Redis.
    package var writeThroughsInFlightMax = 4
    /// Fills on the wire at once. With more misses than Redis takes, some counters are not filled in: the next request
    /// for them will do it, and no read waits behind fills.
    package var fillsInFlightMax = 1
    /// Changes in one batch. The statement's cost per row was constant between 1,000 and 3,000 rows.
    package var batchChangesMax = 2_048
    /// How often a batch is tried again after a deadlock, serialization failure or lock timeout.
    package static let batchRetriesMax = 8
    /// Users whose rate is counted in the process while Redis is down. At the limit, a user's window may start again.
    package var localRateUsersMax = 262_144
    /// Items that Redis may lack, remembered until they are set there, about 80 bytes each. At the limit, no more
    /// repairs from other hosts are taken in, and no counters are read from Redis, until some are mended. Other items
    /// are still noted: those committed here, those that messages contest, and those that were seen to be wrong in
    /// Redis.
    package var repairsMax = 131_072
    /// Pages of repairs under way: one is read from PostgreSQL, one is set in Redis, one waits in between. So an answer
    /// from PostgreSQL waits for two calls to Redis at most.
    package static let repairPagesMax = 3
    /// A page holds up to `countersPerCallMax` repairs, as many as Redis takes in this time …
    package static let repairWriteMsMax: Int64 = 50
    /// … but Redis alone never makes it smaller than this, which is also the size of the first pages …
    package static let repairPageMin = 256
    /// … and above that no more than one in this many of the waiting repairs.
    package static let repairPoolShare = 8
    /// HEALTH mentions repairs if there are this many …
    package static let repairsShownMin = 8_192
    /// … or if they have kept Redis from being read for this long.
    package static let repairsShownMs: Int64 = 2_000
    /// Items that Redis may lack and that only this process knows of. At the limit, the lane tells other hosts without
    /// delay, in turn with batches. Items that messages contest are then not told, since other hosts have heard the
    /// messages too.
    package var repairsUntoldMax = 4_096
    /// Items that are mended and still have to be struck off.
    package var repairsMendedMax = 16_384
    /// Items in one statement: told to others, or mended and to be struck off.
    package var tendItemsMax = 4_096
    /// Mended items wait this long, so that several are struck off together.
    package static let mendedWaitMs: Int64 = 200
    /// How often a host makes a pass over what other hosts could not write to Redis: with the beat, or up to a quarter
    /// later. A survey that fenced lanes is followed by one at once.
    package static let repairPassMs: Int64 = 4_000
    /// A pass that failed is followed by another after this time.
    package static let repairPassRetryMs: Int64 = 400
    /// Each pass finds the rows noted up to this long ago; the first finds all rows …
    package static let repairRowsSeenMs: Int64 = 10_000
    /// … and a pass over all rows comes this often, however many dead rows it has to skip.
    package static let repairFullPassMs: Int64 = 30_000
    /// … and not before this many times as long as the last one took, but no longer than this. With a node down for
    /// hours the table is long.
    package static let repairPauseShare: Int64 = 9
    package static let repairPauseMsMax: Int64 = 300_000
    /// A lane whose row has a journal is tended at least this often.
    package static let laneTendMs: Int64 = 5_000
    /// How often each host says that it is alive, and looks for silent ones: `EdgeLimits.hostSilentSeconds`.
    package static let surveyMs: Int64 = 5_000
    /// A cluster's nodes are asked that often which of them has what …
    package static let clusterAskMs: Int64 = 10_000
    /// … while one of them is missing …
    package static let clusterTroubleAskMs: Int64 = 500
    /// … and at most when slots seem to have moved.
    package static let clusterAskMsMin: Int64 = 100
    /// A node's marker stands in another place for this long, or until the node's slots change, if its slot is between
    /// two nodes …
    package static let markerRetryMs: Int64 = 60_000
    /// … or until another marker would have to be made there, if it has stood there for this long …
    package static let markerRetryMsMin: Int64 = 1_000
    /// … and so many slots are passed over one after the other.
    package static let markersPassedOverMax = 8
    /// How often a change's admission follows a node that sends it to another one. Then the process decides.
    package static let redirectsMax = 3
    /// How often the tables are checked for what would make answers wrong, or with the next survey after that. It takes
    /// about a millisecond of the lane's time.
    package static let schemaCheckMs: Int64 = 10_000
    /// When PostgreSQL refuses rows, which the tables may be the cause of, they are checked at once, but no more often
    /// than this.
    package static let schemaCheckMsMin: Int64 = 1_000
    /// A log line that can be repeated is logged once in this time …
    package static let logWindowMs: Int64 = 5_000
    /// … and in this, if it keeps coming for long …
    package static let logWindowMsMax: Int64 = 60_000
    /// … or this often, if its kind tells of steps: a connection is tried again within that time.
    package static let logStepsMax = 10
    /// Silent lanes fenced in one survey, about 130 ms of PostgreSQL's time with full journals. After that many, the
    /// next survey follows at once.
    package var lanesPerSurvey = 8
    /// How many different lists of tokens a survey returns …
    package static let tokensPerSurvey = 16
    /// … and how many of the hosts that name one, always the same: one that names it twice shows that it stays with it.
    package static let hostsPerToken = 8
    /// Batches after which the process takes another lane number, and so a new row. While a snapshot somewhere keeps
    /// PostgreSQL from vacuuming, each batch has to pass the dead versions that all before it left.
    package var batchesPerLane = 1_024
    /// If other hosts use other data in Redis, they are asked this often …
    package static let disputeAskMs: Int64 = 500
    /// … and if one names it in two signs of life this far apart, no host believes Redis. A host that had not heard of
    /// a new generation hears of it within a beat …
    package static let disputeConfirmMs: Int64 = 4_000
    /// … and one that has said nothing for `surveyMs` and this much longer is dead.
    package static let lateSignMs: Int64 = 1_000
    /// If requests wait for PostgreSQL, and it has done nothing for them for this long, it is stalled …
    static let stallMs: Int64 = 1_000
    /// … until it does something, or nobody has waited for it for this long.
    static let stallUnwantedMs: Int64 = 10_000
    /// How long a refusal by Redis is shown after it last happened.
    static let refusalShownMs: Int64 = 60_000
    /// How long an entry of the local cache is fresh at most while this host does not hear what others change. Together
    /// with the time until that is noticed, it is less than the 30 s after which everything is right.
    package static let unheardCacheMs: Int64 = 10_000
    /// How long a host must have been silent before its changes that were meant for another Redis count. A living host
    /// finds that out itself.
    package static let straySilentMs: Int64 = surveyMs + lateSignMs
    /// How many transactions that were meant for another Redis a survey returns. One is enough to begin anew.
    package static let straysPerSurvey = 64
    /// The highest of the numbers that PostgreSQL or a host gives one after the other: transactions, epochs, batches,
    /// signs of life.
    package static let sequenceMax: Int64 = 1 << 62
    /// If another database's counts come back in a Redis database that was taken over, it is left alone for this long
    /// at a time …
    package static let foreignPauseMs: Int64 = 30_000
    /// … and taken over again after this long without a sign of that database's hosts.
    package static let foreignMemoryMs: Int64 = 300_000
    /// A counter in Redis is believed for this long after PostgreSQL was asked for it, since a stranger who may write
    /// there can put an old one back. With what the local cache and the calls add, it is less than 30 s …
    package static let sealAgeMsMax: Int64 = 25_000
    /// … in the local cache it is fresh for at most this long after PostgreSQL was asked …
    package static let sealedCacheMsMax: Int64 = 29_000
    /// … and if a seal is further ahead than this, clocks were set.
    package static let sealAheadMsMax: Int64 = 5_000
    /// Doubts that are kept until PostgreSQL answers them. Those beyond the limit will arise again.
    package var doubtsMax = 64
    /// PostgreSQL is asked about doubts at most once in this time.
    package static let doubtMs: Int64 = 100
    /// Cached data is dropped because of a contradiction at most once in this time. Otherwise whoever can write to
    /// Redis could keep all hosts from caching anything.
    package static let eraMsMin: Int64 = 5_000
    /// An answer from PostgreSQL that took longer than this, by this host's clock, is not put into Redis. It is read
    /// again.
    package static let answerAgeMsMax: Int64 = 1_000
    /// Counters that were changed here or on another host, or written to Redis, are remembered until the host has heard
    /// a message sent this much later, plus the time that a call to Redis may take. This covers the greatest age of an
    /// answer, with room …
    package static let recentCountersMs: Int64 = 1_500
    /// … but no more of them than this …
    package var recentCountersMax = 524_288
    /// … and memory for this many is never given back.
    package var recentCountersKept = 4_096
    /// All hosts are told of an item at most once in this time, by whichever host; the newest count is always told in
    /// the end. At 50 messages a second a hot item costs a host that hears them some 0.1 ms a second.
    package var tellMs: Int64 = 20
    /// Counters of which this host owes a telling, about 150 bytes each. The journal of each batch names them, so there
    /// are no more than of `repairsUntoldMax`. At the limit hosts are told of others at once.
    package var tellingsMax = 4_096
    /// How many used entries of the local cache are passed before one is dropped all the same. If nearly all were used,
    /// it matters little which one goes, and nobody should wait for a search through a million.
    package var cacheHandStepsMax = 1_024
    /// How often the host publishes a number to itself through Redis. If it does not hear one before the next is due,
    /// its subscription is dead.
    package static let beatMs: Int64 = 3_000
    /// While it remembers what it wrote, it does so this often, plus the time that a call to Redis may take.
    package static let writingBeatMs: Int64 = 1_000
    /// A number that was not heard in time is waited for this much longer.
    package static let beatGraceMs: Int64 = 100
    /// Repairs that failed are tried again after this time.
    package static let repairRetryMs: Int64 = 1_000
    /// The first retry of a lost backend comes after about this time, which doubles with each retry …
    package static let reconnectMsMin: Int64 = 50
    /// … up to this: a backend that is back is used within 2 s.
    package static let reconnectMsMax: Int64 = 1_000
    /// How long an attempt to connect to Redis may take.
    package static let redisConnectMsMax: Int64 = 1_000
    /// How long an attempt to connect to PostgreSQL may take (its fork and authentication are slow under load).
    package static let postgresConnectMsMax: Int64 = 3_000
    /// How long the reader stays at a standby while the lane has a primary.
    package static let standbyMsMax: Int64 = 5_000
    /// While counts are read from PostgreSQL and there are standbys, the primary is asked this often where its log
    /// ends. It takes about 0.1 ms of its time …
    static let positionMs: Int64 = 100
    /// … and once more within this time after the last count …
    static let positionWantedMs: Int64 = 1_000
    /// … and this many answers are kept, which cover `unheardCacheMs`, the greatest age of a standby's count.
    static let positionsMax = 128
    /// A standby is asked for counts if it has proven how fresh it is no longer ago than this.
    static let standbyProofMs: Int64 = 1_000
    /// With a call that takes longer than this, a standby is asked for nothing else …
    static let standbySlowMs: Int64 = 50
    /// … and its connection is given up if the call takes this long. The primary is asked instead.
    static let standbyCallMsMax: Int64 = 250
    /// If its answers are too old for this long, HEALTH and the log say so.
    static let standbyBehindShownMs: Int64 = 30_000
    /// A standby that refused, or that is none, is tried again after this time.
    static let standbyRetryMs: Int64 = 5_000
    /// How much longer than a request's deadline PostgreSQL's own statement timeout may take to end a call, before its
    /// connection is given up as hung.
    package static let postgresHungGraceMs: Int64 = 1_000
    /// A process that crashes sooner after its start than this belongs to a row of crashes. It is several times longer
    /// than the watchdog takes to end a process that hangs …
    package static let crashRunMsMax: Int64 = 120_000
    /// … of which this many are restarted at once. After them the next one waits …
    package static let crashesInARowMax = 5
    /// … for this long. The cause may go away by itself, so nobody has to come and start the process again, and two
    /// starts a minute harm nobody.
    package static let crashPauseMs: Int64 = 30_000
    /// Longer rows are not counted any further.
    package static let crashesCountedMax = 1_000_000
    /// How long stopping may take, whatever is under way. Less than the unit's TimeoutStopSec.
    package static let drainMsMax: Int64 = 15_000
}
