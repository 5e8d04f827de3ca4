/// What can go wrong. `host` and `duration` of a fault say where and how long.
package enum FaultKind: UInt8, CaseIterable, Sendable {
    // Redis
    case redisHang, redisRestartsEmpty, redisRestartsOld, redisFailsOver, redisSwapped, redisFlushed, redisFull
    case redisEvicts, redisReadOnly, redisRefusesWrites, redisScriptsLost
    /// Some hosts are pointed at another primary for a while.
    case redisSplit
    /// Somebody else writes to it, and says things there.
    case redisStranger
    // Between a host and Redis
    case redisCut, redisReset, redisFrozen, subscriberSilent, subscriberReset
    // PostgreSQL
    case postgresCrash, postgresFailsOver, postgresTerminates, postgresHang, postgresHangsOne, postgresReadOnly
    case postgresSchema, postgresRetryable, postgresFull
    /// The synchronous standby is out of reach: commits wait for it, and waits are cancelled.
    case postgresStandbyLost
    /// Somebody else's transaction has written something and stays open.
    case postgresLongTransaction
    /// Goes back to what it held before: a dump restored in place, into new tables or into the same ones; the data
    /// directory of a snapshot put back while it was down.
    case postgresRestored, postgresReloaded, postgresWentBack
    /// The reference service writes to the same tables, side by side with likesd, and counts up in Redis.
    case referenceWrites
    /// Half of the hosts are at another database of the same server, all at one Redis; from the start.
    case databasesShareRedis
    // Between a host and PostgreSQL
    case postgresCut, postgresReset, postgresFrozen
    // Hosts
    case hostKilled, hostPaused, hostStopped
    // A standby that answers counts: `host` of the fault says which
    case standbyLags, standbyPaused, standbyHangs, standbyGone, standbyPromoted
    /// PostgreSQL fails over, and the standby stays with the old primary, which goes on.
    case standbyLeftBehind
    /// Some of its answers are failures that pass, or failures that do not, or answers to something else.
    case standbyConflicts, standbyRefuses, standbyMisfits
    /// Between a host and a standby.
    case standbyCut
    // A Redis Cluster
    /// Slots move to another node. They stop halfway, and some are taken back. They go back and forth.
    case clusterSlotsMove, clusterSlotsStop, clusterSlotsReturn
    /// A node joins, and gets slots.
    case clusterNodeJoins
    /// A node dies, or serves some hosts for a while after it was cut off from the others. Its replica takes its place.
    case clusterNodeDies, clusterNodeDeposed

    /// Two databases share Redis for a whole run, in which hardly a COUNT would be held tightly: seeds of that alone
    /// do. So do seeds of the reference service, which is there for the time of a move.
    static let drawn = allCases.filter {
        $0 != .databasesShareRedis && $0 != .referenceWrites && !$0.isOfStandby && !$0.isOfCluster
    }
    /// Drawn where there are standbys, beside all others.
    static let ofStandbys = allCases.filter(\.isOfStandby)

    var isOfStandby: Bool {
        switch self {
        case .standbyLags, .standbyPaused, .standbyHangs, .standbyGone, .standbyPromoted, .standbyLeftBehind,
            .standbyConflicts, .standbyRefuses, .standbyMisfits, .standbyCut:
            true
        default: false
        }
    }

    /// Drawn where Redis is a cluster, beside all others.
    static let ofClusters = allCases.filter(\.isOfCluster)

    var isOfCluster: Bool {
        switch self {
        case .clusterSlotsMove, .clusterSlotsStop, .clusterSlotsReturn, .clusterNodeJoins, .clusterNodeDies,
            .clusterNodeDeposed:
            true
        default: false
        }
    }

    /// Not where Redis is a cluster: there is no other one, nor anything else in it.
    var isOfOneRedis: Bool {
        switch self {
        case .redisSwapped, .redisSplit, .redisStranger, .databasesShareRedis, .referenceWrites: true
        default: false
        }
    }

    /// What has to be withstood beside the reference service too.
    var isOfReference: Bool {
        switch self {
        case .redisHang, .redisRestartsEmpty, .redisFlushed, .redisEvicts, .redisCut, .redisFrozen, .subscriberSilent,
            .postgresReset, .postgresCut, .postgresLongTransaction, .hostKilled, .hostPaused:
            true
        default: false
        }
    }

    /// In a cluster it concerns one node, and what is there, alone.
    var isOfOneNode: Bool {
        switch self {
        case .redisHang, .redisRestartsEmpty, .redisRestartsOld, .redisFailsOver, .redisFlushed, .redisFull,
            .redisEvicts, .redisReadOnly, .redisRefusesWrites, .redisScriptsLost, .redisCut, .redisReset,
            .redisFrozen, .subscriberSilent, .subscriberReset:
            true
        default: false
        }
    }

    package static func named(_ name: String) -> FaultKind? { allCases.first { "\($0)" == name } }

    /// Milliseconds it lasts, from and to.
    var durationMs: (Int64, Int64) {
        switch self {
        case .redisHang: (40, 15_000)
        case .redisRestartsEmpty, .redisRestartsOld, .redisFailsOver: (5, 8_000)
        case .redisSwapped, .redisFlushed, .redisReset, .postgresTerminates, .postgresReset: (0, 0)
        case .postgresRestored, .postgresReloaded, .databasesShareRedis: (0, 0)
        case .redisScriptsLost: (0, 4)
        case .redisSplit: (100, 20_000)
        case .redisFull, .redisReadOnly: (100, 15_000)
        case .redisRefusesWrites: (100, 60_000)
        case .redisEvicts: (1_000, 30_000)
        case .redisStranger, .referenceWrites: (1_000, 50_000)
        case .redisCut, .postgresCut: (100, 20_000)
        case .redisFrozen: (20, 45_000)
        case .postgresFrozen: (20, 20_000)
        case .subscriberSilent, .subscriberReset: (0, 0)
        case .postgresCrash, .postgresFailsOver, .postgresWentBack: (20, 12_000)
        case .postgresStandbyLost: (50, 12_000)
        case .postgresLongTransaction: (1_000, 60_000)
        case .postgresHang, .postgresHangsOne: (20, 12_000)
        case .postgresReadOnly, .postgresSchema, .postgresFull: (50, 10_000)
        case .postgresRetryable: (500, 20_000)
        case .hostKilled, .hostStopped: (5, 25_000)
        case .hostPaused: (10, 30_000)
        case .standbyCut, .clusterNodeDies: (0, 0)
        case .clusterSlotsMove, .clusterSlotsReturn, .clusterNodeJoins: (0, 0)
        case .clusterSlotsStop: (10, 20_000)
        case .clusterNodeDeposed: (100, 15_000)
        case .standbyLags, .standbyPaused, .standbyPromoted: (50, 40_000)
        case .standbyLeftBehind: (20, 1_000)
        case .standbyHangs, .standbyGone: (20, 15_000)
        case .standbyConflicts, .standbyRefuses, .standbyMisfits: (500, 20_000)
        }
    }

    /// The host it strikes does not hear what others change.
    var silencesOthers: Bool { self == .subscriberSilent || self == .subscriberReset }

    /// Redis is another server afterwards, or another life of it, or has lost its marker, perhaps more than once.
    var changesRedis: Bool {
        switch self {
        case .redisRestartsEmpty, .redisRestartsOld, .redisFailsOver, .redisSwapped, .redisSplit, .redisFlushed,
            .redisEvicts, .redisStranger, .clusterSlotsMove, .clusterSlotsStop, .clusterSlotsReturn,
            .clusterNodeJoins, .clusterNodeDies, .clusterNodeDeposed:
            true
        default: false
        }
    }

    /// What it may make stale, and how much; nil: nothing.
    var scope: Trouble.Scope? {
        switch self {
        case .subscriberSilent: .messages
        case .subscriberReset: .subscription
        case .redisHang, .redisRestartsEmpty, .redisRestartsOld, .redisFailsOver, .redisSwapped, .redisFlushed,
            .redisFull, .redisReadOnly, .redisRefusesWrites, .redisCut, .redisReset, .redisFrozen,
            .redisScriptsLost, .redisSplit, .databasesShareRedis, .hostKilled, .hostPaused, .hostStopped:
            .repairs
        case .postgresRestored, .postgresReloaded: .past
        case .redisStranger: .strangers
        case .referenceWrites: .notes
        case .redisEvicts, .postgresLongTransaction: .evictions
        case .postgresCrash, .postgresFailsOver, .postgresHang, .postgresSchema, .postgresHangsOne,
            .postgresReadOnly, .postgresRetryable, .postgresFull, .postgresTerminates, .postgresCut, .postgresReset,
            .postgresFrozen, .postgresStandbyLost, .postgresWentBack, .standbyLeftBehind:
            .database
        case .standbyLags, .standbyPaused, .standbyHangs, .standbyGone, .standbyPromoted, .standbyConflicts,
            .standbyRefuses, .standbyMisfits, .standbyCut:
            nil
        case .clusterSlotsMove, .clusterSlotsStop, .clusterSlotsReturn, .clusterNodeJoins, .clusterNodeDies,
            .clusterNodeDeposed:
            nil
        }
    }
}

package struct Fault: Sendable {
    package var kind: FaultKind
    package var at: Micros
    package var duration: Micros
    package var host: Int
    /// It waits for a commit, and begins in the middle of what follows that.
    package var isArmed = false
    /// Whose commit: that of the host it strikes, or, where that host would not hear of it, of another.
    package var armedBy: Int
}

/// A time in which something was wrong, for what may be expected of counts then and a while after.
package struct Trouble: Sendable {
    package enum Scope: Sendable {
        /// Counters were dropped, to be filled again: no reason for a stale one by itself.
        case evictions
        /// Messages of a subscription were lost, unnoticed for a while.
        case messages
        /// A subscription was lost, and that is known.
        case subscription
        /// Redis or a host was in trouble: what is stale is to be repaired.
        case repairs
        /// Somebody put back what Redis had before.
        case strangers
        /// Others than hosts wrote, who tell hosts in `cache_repairs` alone.
        case notes
        /// PostgreSQL was.
        case database
        /// It went back, and went on answering.
        case past
    }
    package var scope: Scope
    package var from: Micros
    package var to: Micros
    /// Of which items, a bit for each; all, as a rule.
    package var items: UInt32 = .max
}
