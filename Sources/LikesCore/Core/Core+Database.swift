import LikesProtocol

// PostgreSQL's answers to the lane's and the reader's calls.
extension Core {
    /// PostgreSQL answered a call on the lane. A call that was given up is ignored.
    package mutating func answered(_ call: CallID, _ answer: LaneAnswer, _ turn: inout Turn) {
        guard let (purpose, sentAt) = lane.end(call) else { return }
        reports.note(purpose, sentAt: sentAt, now: turn.now)
        switch (purpose, purpose.checked(answer)) {
        case (.fence, .fenced(let state)): fenced(state, &turn)
        case (.commit(let sent), .committed(let outcome)): committed(sent, outcome, &turn)
        case (.tend(let request), .tended(let settledUpTo)): tended(request, settledUpTo: settledUpTo, &turn)
        case (.survey(let request, let askedAt), .surveyed(let survey)):
            surveyed(request, askedAt: askedAt, survey, &turn)
        case (.checkSchema, .schemaChecked(let failure)): if let failure { giveUpDatabase(failure, &turn) }
        case (_, .fencedOff): fencedOff(purpose, &turn)
        case (_, .misfit(let misfit)):
            // The next connection finds out whether the batch committed.
            reports.noteUnexpected(.lane)
            abandon(purpose, &turn)
            giveUp(.lane, .misfit(misfit), &turn)
        case (_, .failed(let failure)): failed(purpose, failure, &turn)
        case (.fence, _), (.commit, _), (.tend, _), (.survey, _), (.checkSchema, _):
            preconditionFailure("an answer to another call")
        }
    }

    /// PostgreSQL answered a call on the reader. A call that was given up is ignored.
    package mutating func answered(_ call: CallID, _ answer: ReaderAnswer, _ turn: inout Turn) {
        guard let (purpose, sentAt) = reader.calls.end(call) else { return }
        reports.note(purpose, sentAt: sentAt, now: turn.now)
        let answer = purpose.checked(answer)
        switch answer {
        case .countersSelected, .pairsSelected, .listsSelected:
            reader.link.proved()
            if purpose.isForClients { progressed(.reading, now: turn.now) }
        case .repairsSelected, .positionSelected: reader.link.proved()
        case .misfit, .failed: break
        }
        switch (purpose, answer) {
        case (.fetches(_, let permit), .countersSelected(let counters)): fetched(counters, permit, &turn)
        case (.owedCounts(let owing, let permit), .countersSelected(let counters)):
            counted(owing, counters, permit, &turn)
        case (.repair(let page, let node, _, let permit), .countersSelected(let counters)):
            // Other hosts may have had no way to tell this one.
            noteRead(counters, permit, isOffered: { _ in false }, &turn)
            repairs[node].read(page, counters)
        case (.doubts(let doubts, let era), .countersSelected(let counters)):
            decideDoubts(doubts, era: era, counters, &turn)
        case (.pairs(let asked, let permit), .pairsSelected(let states)): pairsRead(asked, states, permit, &turn)
        case (.lists(let asked), .listsSelected(let pages)): listsRead(asked, pages, &turn)
        case (.repairPass, .repairsSelected(let chunk)): repairsSelected(chunk, &turn)
        case (.position(let sight, let askedAt), .positionSelected(let position, let epoch)):
            learnPosition(position, epoch: epoch, sight, askedAt: askedAt)
        case (_, .misfit(let misfit)):
            // Asking again would bring the same answer.
            reports.noteUnexpected(.reader)
            let failure = BackendFailure.misfit(misfit)
            refuse(purpose, failure.text, &turn)
            giveUp(.reader, failure, &turn)
        case (_, .failed(let failure)): failed(purpose, failure, &turn)
        case (.fetches, _), (.owedCounts, _), (.repair, _), (.doubts, _), (.pairs, _), (.lists, _),
            (.repairPass, _), (.position, _):
            preconditionFailure("an answer to another call")
        }
    }

    // MARK: Errors

    private mutating func failed(_ purpose: LanePurpose, _ failure: StatementFailure, _ turn: inout Turn) {
        noteFailed(failure, &turn)
        switch failure {
        case .retryable:
            if case .commit(let sent) = purpose { retry(sent, &turn) } else { putBack(purpose, now: turn.now) }
        case .readOnly(let text, let next):
            putBack(purpose, now: turn.now)
            giveUp(.lane, .readOnly(text, next: next), &turn)
        case .schema(let text, let next):
            putBack(purpose, now: turn.now)
            giveUp(.lane, .schema(text, next: next), &turn)
        case .rows(let text):
            if case .commit(let sent) = purpose, sent.batch.pairsCount > 1 { return takeApart(sent) }
            refuse(purpose, "PostgreSQL refused: \(text)", &turn)
        case .permission(let text, let next):
            switch purpose {
            case .fence: giveUp(.lane, .schema("cannot open the lane: \(text)", next: next), &turn)
            case .checkSchema: giveUp(.lane, .schema("cannot check the tables: \(text)", next: next), &turn)
            case .commit, .tend, .survey:
                // The check of the tables says which rights are missing. It ends the connections until they are
                // granted.
                lane.schemaChecks.checkSoon(now: turn.now)
                refuse(purpose, "PostgreSQL refused: \(NextStep.joined(text, next))", &turn)
            }
        case .other(let text): refuse(purpose, "PostgreSQL refused: \(text)", &turn)
        }
    }

    private mutating func failed(_ purpose: ReaderPurpose, _ failure: StatementFailure, _ turn: inout Turn) {
        noteFailed(failure, &turn)
        switch failure {
        case .retryable: putBack(purpose, now: turn.now)
        case .readOnly(let text, let next):
            putBack(purpose, now: turn.now)
            giveUp(.reader, .readOnly(text, next: next), &turn)
        case .schema(let text, let next):
            putBack(purpose, now: turn.now)
            giveUp(.reader, .schema(text, next: next), &turn)
        case .rows(let text), .other(let text): refuse(purpose, "PostgreSQL refused: \(text)", &turn)
        case .permission(let text, let next):
            lane.schemaChecks.checkSoon(now: turn.now)
            refuse(purpose, "PostgreSQL refused: \(NextStep.joined(text, next))", &turn)
        }
    }

    private mutating func noteFailed(_ failure: StatementFailure, _ turn: inout Turn) {
        reports.statistics.databaseErrors += 1
        switch failure {
        case .retryable, .readOnly, .schema: return
        case .rows(let text):
            say(.refusedRows, .error, "PostgreSQL refused a statement's values: \(text)", &turn)
            // The cause may be in the tables: a missing partition or default, a trigger.
            lane.schemaChecks.checkSoon(now: turn.now)
        case .permission(let text, let next):
            say(.refusedStatement, .error, "PostgreSQL refused a statement: \(NextStep.joined(text, next))", &turn)
        case .other(let text): say(.refusedStatement, .error, "PostgreSQL refused a statement: \(text)", &turn)
        }
    }

    // MARK: Calls without an answer

    /// The lane's connection is lost, and with it the call's answer.
    mutating func abandon(_ purpose: LanePurpose, _ turn: inout Turn) {
        switch purpose {
        case .commit(let sent): lane.resolveLater(sent)
        case .tend(let request): tendingFailed(request, now: turn.now)
        case .fence, .survey, .checkSchema: return
        }
    }

    /// The call certainly changed nothing. Its work goes back into its queue, in order.
    private mutating func putBack(_ purpose: LanePurpose, now: Instant) {
        switch purpose {
        case .fence, .checkSchema: return
        case .survey: lane.surveyFailed(now: now)
        case .commit(let sent): requeue(sent)
        case .tend(let request): tendingFailed(request, now: now)
        }
    }

    /// The same for calls that only read, also when the reader is lost.
    mutating func putBack(_ purpose: ReaderPurpose, now: Instant) {
        switch purpose {
        case .fetches(let items, _): reads.moveToDatabase(items, isOnlyPrimary: false, clients)
        case .owedCounts(let owing, _): writes.putBack(owing: owing)
        case .repair(let page, let node, _, _): repairs[node].readFailed(page, now: now)
        // A version that PostgreSQL contradicts will be doubted again.
        case .doubts: return
        case .pairs(let asked, _): for index in reads.putBack(asked) { queueUnconfirmed(index) }
        case .lists(let asked): reads.putBack(asked)
        case .repairPass: endRepairPass(isWhole: false, now: now)
        case .position: reader.standbys.askingFailed(nil, now: now)
        }
    }

    /// Asking again would not bring another answer: gives the call's work up, with this error.
    private mutating func refuse(_ purpose: LanePurpose, _ text: String, _ turn: inout Turn) {
        switch purpose {
        case .fence: giveUp(.lane, .unreachable("cannot open the lane: \(text)"), &turn)
        case .survey, .checkSchema, .tend: putBack(purpose, now: turn.now)
        case .commit(let sent):
            let reply = Reply.error(ErrorReply(.unavailable, text))
            for index in sent.changes { finish(index, reply, &turn) }
        }
    }

    private mutating func refuse(_ purpose: ReaderPurpose, _ text: String, _ turn: inout Turn) {
        let reply = Reply.error(ErrorReply(.unavailable, text))
        switch purpose {
        case .repair, .doubts, .repairPass: putBack(purpose, now: turn.now)
        case .position: reader.standbys.askingFailed(text, now: turn.now)
        case .fetches(let items, _):
            for item in items {
                let stale = staleCount(item)
                for part in reads.drop(item) {
                    if let stale {
                        give(stale.count, isCached: true, to: part, &turn)
                    } else {
                        answer(part.ticket, reply, &turn)
                    }
                }
            }
        case .owedCounts(let owing, _):
            // The change is committed, only its count is missing.
            let uncertain = Reply.error(
                ErrorReply(.uncertain, "the change was handled, but its count is unknown: \(text)"))
            for index in owing { finish(index, uncertain, &turn) }
        case .pairs(let asked, _):
            for read in asked {
                switch read.asker {
                case .part(let part): answer(part.ticket, reply, &turn)
                case .change(let index): endConfirmation(index, reply, &turn)
                }
            }
        case .lists(let asked): for read in asked { answer(read.ticket, reply, &turn) }
        }
    }
}
