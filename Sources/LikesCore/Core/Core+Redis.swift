// Redis' answers to calls.
extension Core {
    /// Redis answered a call. A call that was given up is ignored.
    package mutating func answered(_ call: CallID, _ answer: RedisAnswer, _ turn: inout Turn) {
        guard let purpose = redis.calls.end(call) else { return }
        switch (purpose, purpose.checked(answer)) {
        case (.identify(let request), .identified(let marker)): identified(request, marker, &turn)
        case (.admission(let changes), .admitted(let verdicts)): admitted(changes, verdicts, &turn)
        case (.readCounters(let items, let generation, let permit), .countersRead(let counters)):
            countersRead(items, counters, generation, permit, &turn)
        case (.writeThrough(let changes, let counters, let permit), .wroteThrough(let refusal, let kept, let untold)):
            noteRefusal(refusal, of: .writing, &turn)
            repairs.wroteThrough(counters)
            judge(kept, permit, isNews: true, &turn)
            owe(untold, permit, &turn)
            finishWritten(changes, &turn)
            if mayStrikeOff { lane.upkeep.tend(by: turn.now.adding(ms: Limits.mendedWaitMs)) }
        case (.repair(let page, let counters, let permit), .wroteThrough(let refusal, let kept, let untold)):
            noteRefusal(refusal, of: .writing, &turn)
            repairs.wrote(page, counters, now: turn.now)
            judge(kept, permit, isNews: true, &turn)
            owe(untold, permit, &turn)
            if mayStrikeOff { lane.upkeep.tend(by: turn.now.adding(ms: Limits.mendedWaitMs)) }
        case (.fill(let permit), .filled(let kept)): judge(kept, permit, isNews: false, &turn)
        case (.drop, .dropped): return
        case (.tell(let counters, let isTracked), .told(let outcomes)):
            told(counters, isTracked: isTracked, outcomes, now: turn.now)
        case (_, .failed(let failure)): redisFailed(purpose, failure, &turn)
        case (.identify, _), (.admission, _), (.readCounters, _), (.writeThrough, _), (.repair, _), (.fill, _),
            (.drop, _), (.tell, _):
            preconditionFailure("an answer to another call")
        }
    }

    private mutating func redisFailed(_ purpose: RedisPurpose, _ failure: RedisFailure, _ turn: inout Turn) {
        reports.statistics.redisErrors += 1
        abandon(purpose, &turn)
        switch failure {
        case .late: return
        case .misfit(let misfit):
            if redis.link.isUp { giveUp(.redis, .unexpected(misfit.text), &turn) }
        case .otherGeneration:
            if redis.link.isUp { giveUp(.redis, .unreachable("its data was replaced: identifying it again"), &turn) }
        case .refused(let message):
            if purpose.task == .identifying {
                giveUp(.redis, .unreachable("its data cannot be identified: \(message)"), &turn)
            } else {
                noteRefusal(message, of: purpose.task, &turn)
            }
        }
    }

    /// The call's connection was lost, or Redis did not do it: go on without Redis.
    mutating func abandon(_ purpose: RedisPurpose, _ turn: inout Turn) {
        switch purpose {
        case .identify: repairs.identified(isNew: false)
        case .admission(let changes): for index in changes { admitLocally(index, &turn) }
        case .readCounters(let items, _, _): askDatabase(items, &turn)
        case .writeThrough(let changes, let counters, _):
            noteMissing(counters, now: turn.now)
            finishWritten(changes, &turn)
        case .repair(let page, _, _): repairs.writeFailed(page, now: turn.now)
        case .tell(let counters, let isTracked):
            let outcomes = [TellingOutcome](repeating: .gone, count: counters.count)
            told(counters, isTracked: isTracked, outcomes, now: turn.now)
        case .fill, .drop: return
        }
    }

    /// HEALTH shows operations that Redis rejects while it still serves others. They are logged when they are news.
    mutating func noteRefusal(_ message: String?, of task: RedisTask, _ turn: inout Turn) {
        guard redis.note(message, of: task, now: turn.now), let message else { return }
        say(.refusedByRedis(task), .warning, "Redis refuses \(task.rawValue): \(message)", &turn)
    }
}
