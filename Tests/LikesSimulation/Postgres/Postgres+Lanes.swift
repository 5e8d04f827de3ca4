import LikesCore
import LikesProtocol

// Statements on the rows of `lanes` and `cache_repairs`, without a batch.
extension Postgres {
    private func place(ofLane lane: Int64) -> Int? { state.lanes.firstIndex { $0.lane == lane } }

    /// Whatever phase it is in, the statement commits now; its answer leaves a step later.
    private func committed(_ session: Session, _ answer: Answer) -> StepResult {
        releaseCommitted(session)
        session.statement?.phase = .answers(answer)
        return .goesOn
    }

    func fence(_ session: Session, _ call: CallID, _ lane: Int64, _ rows: [BatchRow]) -> StepResult {
        switch session.statement?.phase {
        case .begins?:
            if let wait = lock(.lane(lane), session) { return wait }
            session.statement?.phase = .flush
            return .goesOn
        default:
            guard let place = place(ofLane: lane) else {
                state.lanes.append(LaneRecord(lane: lane, epoch: 1, seenAt: scheduler.now))
                return committed(session, .fenced(call, nil))
            }
            state.lanes[place].epoch += 1
            state.lanes[place].seenAt = scheduler.now
            let record = state.lanes[place]
            let changed = record.changed.count == rows.count ? record.changed : []
            return committed(
                session, .fenced(call, LaneState(epoch: record.epoch, batch: record.batch, changed: changed)))
        }
    }

    func tend(_ session: Session, _ call: CallID, _ request: TendRequest) -> StepResult {
        switch session.statement?.phase {
        case .begins?:
            // The versions are those of the statement's snapshot.
            session.statement?.upserts = upserts(of: request.repairs.map { index(of: $0) })
            if !request.repairs.isEmpty { scheduler.coverage.note(.repairsTold) }
            session.statement?.phase = .fence
            return .goesOn
        case .fence?:
            if safeguards.fence {
                if let wait = lock(.lane(request.fence.lane), session) { return wait }
                guard let place = place(ofLane: request.fence.lane), state.lanes[place].epoch == request.fence.epoch
                else { return .done(.fencedOff(call)) }
            }
            session.statement?.phase = .repairs
            return .goesOn
        case .repairs?:
            if let wait = lockUpserts(session) { return wait }
            session.statement?.phase = .mended
            return .goesOn
        case .mended?:
            for counter in request.mended {
                let item = index(of: counter.item)
                guard let version = state.repairs[item], version <= counter.version,
                    !isLocked(.repair(item), against: session),
                    session.statement?.upserts.contains(where: { $0.item == item }) == false,
                    lock(.repair(item), session) == nil
                else { continue }
                session.statement?.deletes.append(item)
            }
            session.statement?.phase = .flush
            return .goesOn
        default:
            applyUpserts(session)
            for item in session.statement?.deletes ?? [] { state.repairs[item] = nil }
            if let place = place(ofLane: request.fence.lane) {
                state.lanes[place].journal = safeguards.journal ? request.journal.map { index(of: $0) } : []
                state.lanes[place].seenAt = scheduler.now
            }
            return committed(session, .tended(call))
        }
    }

    func retire(_ session: Session, _ call: CallID) -> StepResult {
        switch session.statement?.phase {
        case .begins?:
            var items: Set<Int> = []
            for record in state.lanes where isSilent(record) && !isLocked(.lane(record.lane), against: session) {
                if session.statement?.retired.count == plan.limits.lanesPerRetirement { break }
                _ = lock(.lane(record.lane), session)
                session.statement?.retired.append(record.lane)
                items.formUnion(record.journal)
            }
            session.statement?.upserts = upserts(of: items.sorted())
            session.statement?.phase = .repairs
            return .goesOn
        case .repairs?:
            if let wait = lockUpserts(session) { return wait }
            session.statement?.phase = .flush
            return .goesOn
        default:
            applyUpserts(session)
            let retired = session.statement?.retired ?? []
            for lane in retired {
                scheduler.coverage.note(.lanesRetired)
                guard let place = place(ofLane: lane) else { continue }
                state.lanes[place].epoch += 1
                state.lanes[place].journal = []
            }
            return committed(session, .lanesRetired(call, retired.count))
        }
    }

    private func isSilent(_ record: LaneRecord) -> Bool {
        !record.journal.isEmpty && scheduler.now - record.seenAt > Postgres.laneSilent
    }

    /// As the real statement has it.
    static let laneSilent: Micros = .seconds(15)

    private func upserts(of items: [Int]) -> [(item: Int, version: Int64)] {
        Set(items).sorted().compactMap { item in
            let version = state.counters[item].version
            return version == 0 ? nil : (item, version)
        }
    }
}
