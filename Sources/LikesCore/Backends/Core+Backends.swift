import LikesProtocol

// Connections to Redis and PostgreSQL: coming, going, failing.
extension Core {
    package mutating func connected(_ backend: Backend, now: Instant, into actions: inout [Action]) {
        self[backend].connected()
        actions.append(.log(.notice, "\(Self.name(backend)) connected"))
        if backend == .redis {
            redisRefusals = [:]
            localRate.reset()
            repairs.retryNow()
        }
    }

    /// The connection could not be made or went away. Its calls under way are gone with it.
    package mutating func lost(
        _ backend: Backend, _ failure: BackendFailure, now: Instant, into actions: inout [Action]
    ) {
        if self[backend].lost(failure, now: now, random: jitter.next()) {
            actions.append(.log(.warning, "\(Self.name(backend)) lost: \(failure.text)"))
        }
        for call in calls.giveUp(backend) { abandon(call, now: now, into: &actions) }
        guard backend == .reader else {
            if backend == .lane { for index in parked.takeAll().reversed() { laneQueue.prepend(index) } }
            return
        }
        serveStale(fetches.queuedForDatabase(), now: now, into: &actions)
        var reads = Ring<PairRead>()
        while let read = pairQueue.popFirst() {
            if case .change(let index) = read.asker { verifyInLane(index) } else { reads.append(read) }
        }
        pairQueue = reads
    }

    /// Redis answered the call with an error (-OOM, -LOADING, -READONLY …).
    package mutating func redisCallFailed(
        _ call: CallID, _ message: String, now: Instant, into actions: inout [Action]
    ) {
        guard let given = calls.end(call) else { return }
        statistics.redisErrors += 1
        if let task = given.redisTask {
            if redisRefusals[task] != message {
                actions.append(.log(.warning, "Redis refuses \(task.rawValue): \(message)"))
            }
            redisRefusals[task] = message
        }
        abandon(given, now: now, into: &actions)
    }

    /// PostgreSQL answered the call with an error: proven to have changed nothing.
    package mutating func statementFailed(
        _ call: CallID, _ failure: StatementFailure, now: Instant, into actions: inout [Action]
    ) {
        guard let given = calls.end(call) else { return }
        statistics.databaseErrors += 1
        let backend = given.backend
        switch failure {
        case .retryable: retry(given, now: now, into: &actions)
        case .readOnly(let text):
            requeue(given, now: now)
            giveUp(backend, .readOnly(text), now: now, into: &actions)
        case .schema(let text):
            requeue(given, now: now)
            giveUp(backend, .schema(text), now: now, into: &actions)
        case .other(let text), .rows(let text):
            actions.append(.log(.error, "PostgreSQL refused a statement: \(text)"))
            refuse(given, "PostgreSQL refused: \(text)", now: now, into: &actions)
        }
    }

    /// Closes a connection that is of no use, and counts as lost.
    mutating func giveUp(
        _ backend: Backend, _ failure: BackendFailure, now: Instant, into actions: inout [Action]
    ) {
        actions.append(.disconnect(backend))
        lost(backend, failure, now: now, into: &actions)
    }

    subscript(_ backend: Backend) -> Link {
        get {
            switch backend {
            case .redis: redis
            case .subscriber: subscriber
            case .lane: lane
            case .reader: reader
            }
        }
        set {
            switch backend {
            case .redis: redis = newValue
            case .subscriber: subscriber = newValue
            case .lane: lane = newValue
            case .reader: reader = newValue
            }
        }
    }

    static func name(_ backend: Backend) -> String {
        switch backend {
        case .redis: "Redis"
        case .subscriber: "Redis (subscription)"
        case .lane: "PostgreSQL (writing)"
        case .reader: "PostgreSQL (reading)"
        }
    }

    // MARK: Calls without an answer

    /// The call's connection is gone, or Redis refused it: go on without.
    private mutating func abandon(_ call: Call, now: Instant, into actions: inout [Action]) {
        switch call {
        case .admission(let admitted):
            for index in admitted { admitLocally(index, now: now, into: &actions) }
        case .readCounters(let items):
            for item in items { moveToDatabase(item) }
            serveStale(items, now: now, into: &actions)
        case .repair(let counters): repairs.writeFailed(counters, now: now)
        case .writeThrough(let written, let counters):
            repairs.note(counters, now: now)
            finishWritten(written, now: now, into: &actions)
        case .commit(let batch, let batched):
            repairs.noteUnknown(batch.items, now: now)
            let text = "the connection to PostgreSQL was lost before it answered: repeat the request, or ask LIKED"
            for index in batched {
                finish(index, .error(ErrorReply(.uncertain, text)), now: now, into: &actions)
            }
        case .selectCounters, .selectPairs: requeue(call, now: now)
        }
    }

    /// Proven to have changed nothing, or only reading: back into its queue, in order.
    private mutating func requeue(_ call: Call, now: Instant) {
        switch call {
        case .admission, .readCounters, .writeThrough, .repair: preconditionFailure("calls to Redis are not sent again")
        case .commit(_, let batched):
            for index in batched.reversed() {
                changes[index].stage = .queued
                laneQueue.prepend(index)
            }
        case .selectCounters(.fetches(let items)):
            for item in items { moveToDatabase(item) }
        case .selectCounters(.repairs(let items)): repairs.readFailed(items, now: now)
        case .selectCounters(.changes(let owing, _)):
            for index in owing.reversed() { countQueue.prepend(index) }
        case .selectPairs(let reads):
            for read in reads.reversed() {
                if case .part = read.asker { pairQueue.prepend(read) }
            }
            for read in reads {
                // A LIKE is as safe in the lane; it need not wait for the reader.
                guard case .change(let index) = read.asker else { continue }
                verifyInLane(index)
            }
        }
    }

    private mutating func verifyInLane(_ index: ChangeIndex) {
        verifyingCount -= 1
        queue(index)
        for later in held.removeValue(forKey: index) ?? [] { queue(later) }
    }

    private mutating func retry(_ call: Call, now: Instant, into actions: inout [Action]) {
        guard case .commit(_, let batched) = call else {
            requeue(call, now: now)
            return
        }
        statistics.batchRetries += 1
        for index in batched.reversed() {
            if changes[index].retries < Limits.batchRetriesMax {
                changes[index].retries += 1
                changes[index].stage = .queued
                laneQueue.prepend(index)
            } else {
                let text = "PostgreSQL rolled back \(Limits.batchRetriesMax) times: try again later"
                finish(index, .error(ErrorReply(.unavailable, text)), now: now, into: &actions)
            }
        }
    }

    /// An answer that will not get better by asking again.
    private mutating func refuse(_ call: Call, _ text: String, now: Instant, into actions: inout [Action]) {
        let reply = Reply.error(ErrorReply(.unavailable, text))
        switch call {
        case .admission, .readCounters, .writeThrough, .repair: preconditionFailure("not PostgreSQL's call")
        case .commit(_, let batched):
            for index in batched { finish(index, reply, now: now, into: &actions) }
        case .selectCounters(.fetches(let items)):
            for item in items {
                let stale = cache.stale(item)
                for part in fetches.drop(item) {
                    if let stale {
                        resolve(part, stale.count, now: now, into: &actions)
                    } else {
                        answer(part.ticket, reply, now: now, into: &actions)
                    }
                }
            }
        case .selectCounters(.repairs(let items)): repairs.readFailed(items, now: now)
        case .selectCounters(.changes(let owing, _)):
            // Committed, only the count is missing.
            let uncertain = Reply.error(
                ErrorReply(.uncertain, "the change was handled, its count is not known: \(text)"))
            for index in owing { finish(index, uncertain, now: now, into: &actions) }
        case .selectPairs(let reads):
            for read in reads {
                switch read.asker {
                case .part(let part): answer(part.ticket, reply, now: now, into: &actions)
                case .change(let index):
                    verifyingCount -= 1
                    let behind = held.removeValue(forKey: index) ?? []
                    finish(index, reply, now: now, into: &actions)
                    for later in behind { queue(later) }
                }
            }
        }
    }
}

extension BackendFailure {
    /// The reason in words.
    var text: String {
        switch self {
        case .unreachable(let text), .schema(let text), .readOnly(let text): text
        }
    }
}
