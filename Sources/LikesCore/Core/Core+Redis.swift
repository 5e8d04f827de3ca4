// Redis' answers to calls.
extension Core {
    /// Redis answered a call. A call that was given up is ignored.
    package mutating func answered(redis node: NodePlace, _ call: CallID, _ answer: RedisAnswer, _ turn: inout Turn) {
        guard let (purpose, sentAt) = redis[node].calls.end(call) else { return }
        reports.note(purpose, sentAt: sentAt, now: turn.now)
        switch (purpose, purpose.checked(answer)) {
        case (.identify(let request), .identified(let marker)): identified(request, marker, on: node, &turn)
        case (.admission(let changes, let parts, let redirects), .admitted(let verdicts)):
            admitted(changes, parts, verdicts, redirects: redirects, on: node, &turn)
        case (.readCounters(let items, let generation, let permit), .countersRead(let counters)):
            countersRead(items, counters, generation, permit, on: node, &turn)
        case (
            .writeThrough(let changes, let counters, let permit),
            .wroteThrough(let refusal, let kept, let untold, let elsewhere)
        ):
            noteRefusal(refusal, of: .writing, on: node, &turn)
            repairs[node].wroteThrough(elsewhere.isEmpty ? counters : counters.filter { !elsewhere.contains($0.item) })
            noteMissing(elsewhere, now: turn.now)
            judge(kept, permit, isNews: true, on: node, &turn)
            owe(untold, permit, on: node, &turn)
            finishWritten(changes, &turn)
            if mayStrikeOff { lane.upkeep.tend(by: turn.now.adding(ms: Limits.mendedWaitMs)) }
        case (
            .repair(let page, let counters, let permit),
            .wroteThrough(let refusal, let kept, let untold, let elsewhere)
        ):
            noteRefusal(refusal, of: .writing, on: node, &turn)
            repairs[node].wrote(page, counters, elsewhere: elsewhere, now: turn.now)
            // What a former node said of the items, in an answer or a message, was noted for that node.
            if !elsewhere.isEmpty { repairs.slotsMoved(from: node, nodeOf: redis.node) }
            judge(kept, permit, isNews: true, on: node, &turn)
            owe(untold, permit, on: node, &turn)
            if mayStrikeOff { lane.upkeep.tend(by: turn.now.adding(ms: Limits.mendedWaitMs)) }
        case (.fill(let permit), .filled(let kept)): judge(kept, permit, isNews: false, on: node, &turn)
        case (.drop, .dropped): return
        case (.tell(let counters, let isTracked), .told(let outcomes)):
            told(counters, isTracked: isTracked, outcomes, on: node, now: turn.now)
        case (_, .failed(let failure)): redisFailed(call, purpose, failure, on: node, &turn)
        case (.identify, _), (.admission, _), (.readCounters, _), (.writeThrough, _), (.repair, _), (.fill, _),
            (.drop, _), (.tell, _):
            preconditionFailure("an answer to another call")
        }
    }

    private mutating func redisFailed(
        _ call: CallID, _ purpose: RedisPurpose, _ failure: RedisFailure, on node: NodePlace, _ turn: inout Turn
    ) {
        reports.statistics.redisErrors += 1
        abandon(purpose, on: node, &turn)
        switch failure {
        case .late: return
        case .misfit(let misfit):
            if redis[node].link.isUp { giveUp(.redis(node), .unexpected(misfit.text), &turn) }
        case .otherGeneration where redis.isCluster:
            // Another host has begun anew, since the node got slots back. The node goes on counting users' rates.
            if purpose.generation(on: node) == coherence[node].trust.generation { identifyAgain(node, &turn) }
        case .otherGeneration:
            if redis[node].link.isUp {
                giveUp(.redis(node), .unreachable("its data was replaced: identifying it again"), &turn)
            }
        // If it was to identify the node's data, that is tried again once a node has said where the marker's slot is.
        case .elsewhere:
            redis[node].marker.wasElsewhere(call)
            slotsMoved(&turn)
        // A primary that was restarted says so for two seconds.
        case .clusterDown: slotsMoved(&turn)
        case .refused(let message):
            if purpose.task == .identifying {
                giveUp(.redis(node), .unreachable("its data cannot be identified: \(message)"), &turn)
            } else {
                noteRefusal(message, of: purpose.task, on: node, &turn)
            }
        }
    }

    /// The call's connection was lost, or Redis did not do it: go on without Redis.
    mutating func abandon(_ purpose: RedisPurpose, on node: NodePlace, _ turn: inout Turn) {
        switch purpose {
        case .identify: repairs[node].identified(isNew: false)
        case .admission(let changes, let parts, _): admitWithoutRedis(changes, parts, &turn)
        case .readCounters(let items, _, _): askDatabase(items, &turn)
        case .writeThrough(let changes, let counters, _):
            noteMissing(counters, now: turn.now)
            finishWritten(changes, &turn)
        case .repair(let page, _, _): repairs[node].writeFailed(page, now: turn.now)
        case .tell(let counters, let isTracked):
            let outcomes = [TellingOutcome](repeating: .gone, count: counters.count)
            told(counters, isTracked: isTracked, outcomes, on: node, now: turn.now)
        case .fill, .drop: return
        }
    }

    /// HEALTH shows operations that Redis rejects while it still serves others. They are logged when they are news.
    mutating func noteRefusal(_ message: String?, of task: RedisTask, on node: NodePlace, _ turn: inout Turn) {
        guard redis[node].note(message, of: task, now: turn.now), let message else { return }
        let text = "Redis\(address(node)) refuses \(task.rawValue): \(message)"
        say(.refusedByRedis(task), .warning, text, &turn)
    }
}
