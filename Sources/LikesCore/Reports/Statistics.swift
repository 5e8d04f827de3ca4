import LikesProtocol

/// What the daemon has done since its start.
struct Statistics {
    var requests = RequestFigures()
    var errors = ErrorCounts()
    var protocolErrors: Int64 = 0
    var connectionsRefused: Int64 = 0
    /// Of these, refused because their user had too many.
    var connectionsOverShare: Int64 = 0
    /// Closed because all clients together held too much memory.
    var connectionsAbandoned: Int64 = 0
    /// Requests that were begun and not finished in time.
    var requestsUnfinished: Int64 = 0
    /// Clients inherited from the previous process.
    var connectionsTakenOver: Int64 = 0

    var changed: Int64 = 0
    var unchanged: Int64 = 0
    var hintedDuplicates: Int64 = 0
    var deadlinesMissed: Int64 = 0

    var localHits: Int64 = 0
    var localMisses: Int64 = 0
    var redisHits: Int64 = 0
    var redisMisses: Int64 = 0
    var databaseReads: Int64 = 0
    var staleServed: Int64 = 0

    var batches: Int64 = 0
    var batchedChanges: Int64 = 0
    var calls = CallFigures()
    var batchRetries: Int64 = 0
    var batchesTakenApart: Int64 = 0
    var batchesFoundCommitted: Int64 = 0
    var batchesFoundLost: Int64 = 0
    var lanesFencedOff: Int64 = 0
    var silentLanesFenced: Int64 = 0
    /// How often PostgreSQL was found to be at an earlier state than before.
    var databasesGoneBack: Int64 = 0
    /// How often hosts were found to use two Redis servers.
    var redisDisputes: Int64 = 0
    /// How often this host had all hosts drop what they had cached.
    var erasBegun: Int64 = 0
    var countersHeard: Int64 = 0
    /// Calls to Redis to tell hosts of counters that were set a moment after they had been told of others.
    var tellings: Int64 = 0
    var redisErrors: Int64 = 0
    /// What no host of this database had sealed: counters in Redis …
    var forgedCounters: Int64 = 0
    /// … counters in messages …
    var forgedMessages: Int64 = 0
    /// … and as the marker.
    var forgedMarkers: Int64 = 0
    /// Counters in Redis with a seal so old that PostgreSQL was asked.
    var agedCounters: Int64 = 0
    /// Counters from PostgreSQL that were not put into Redis, because it had not taken the previous ones yet.
    var fillsLeftOut: Int64 = 0
    var databaseErrors: Int64 = 0
    /// Connections ended because of what the server sent: something nobody asked for, an invalid answer, or one without
    /// end.
    var redisUnexpected: Int64 = 0
    var databaseUnexpected: Int64 = 0

    /// By stage, of the changes that passed it, in microseconds.
    var stages = [Histogram](repeating: Histogram(), count: StageTimes.Stage.allCases.count)
}

/// What became of the requests, by command.
struct RequestFigures {
    /// Of one command.
    struct Figures {
        var received: Int64 = 0
        /// Answered with an error.
        var failed: Int64 = 0
        /// From receipt to reply, in microseconds: 0 if it was answered in the turn in which it came. Requests whose
        /// client went are left out.
        var took = Histogram()
    }

    private var figures = ContiguousArray(repeating: Figures(), count: Command.allCases.count)

    subscript(_ command: Command) -> Figures {
        _read { yield figures[command.rawValue] }
        _modify { yield &figures[command.rawValue] }
    }

    var received: Int64 { figures.reduce(0) { $0 + $1.received } }
}

/// How often each error was sent to a client.
struct ErrorCounts {
    private var counts = [Int64](repeating: 0, count: ErrorCode.allCases.count)

    subscript(_ code: ErrorCode) -> Int64 {
        get { counts[Self.place(code)] }
        set { counts[Self.place(code)] = newValue }
    }

    private static func place(_ code: ErrorCode) -> Int { ErrorCode.allCases.firstIndex(of: code) ?? 0 }
}
