import LikesCore
import LikesProtocol

// Statements on the rows of `lanes` and `cache_repairs`, without a batch.
extension Postgres {
    private func place(ofLane lane: Int64) -> Int? { state.lanes.firstIndex { $0.lane == lane } }

    /// Whatever phase it is in, the statement commits now; its answer leaves a step later.
    private func committed(_ session: Session, _ answer: LaneAnswer) -> StepResult {
        releaseCommitted(session)
        session.statement?.phase = .answers(.lane(answer))
        return .goesOn
    }

    func fence(_ session: Session, _ request: FenceRequest) -> StepResult {
        switch session.statement?.phase {
        case .begins?:
            // The host's row goes first; nobody holds it for longer than a step.
            if let former = request.former, let wait = lock(.lane(former), session) { return wait }
            session.statement?.phase = .fence
            return .goesOn
        case .fence?:
            if let wait = lock(.lane(request.lane), session) { return wait }
            session.statement?.phase = .flush
            return .goesOn
        default:
            let former = state.hosts.first { $0.lane == request.former }
            state.hosts.removeAll { $0.lane == request.former }
            if !state.hosts.contains(where: { $0.lane == request.lane }) {
                state.hosts.append(
                    HostRecord(
                        lane: request.lane, tokens: former?.tokens ?? [], since: former?.since ?? 0, beat: 0,
                        seenAt: former?.seenAt ?? scheduler.now))
            }
            let formerLane = request.former.flatMap { place(ofLane: $0) }.map { state.lanes.remove(at: $0) }
            guard let place = place(ofLane: request.lane) else {
                state.lanes.append(LaneRecord(lane: request.lane, epoch: 1, former: formerLane))
                return committed(session, .fenced(nil))
            }
            state.lanes[place].epoch += 1
            let record = state.lanes[place]
            let changed = record.changed.count == request.rows.count ? record.changed : []
            return committed(
                session, .fenced(LaneState(epoch: record.epoch, batch: record.batch, changed: changed)))
        }
    }

    /// The lane's host lives. One that comes late says what was.
    private func note(_ request: SurveyRequest) {
        let place = state.hosts.firstIndex { $0.lane == request.lane }
        if let place, state.hosts[place].beat >= request.signOfLife { return }
        let next = request.since
        let since = max(place.map { state.hosts[$0].since } ?? 0, next <= snapshot.next ? next : 0)
        let record = HostRecord(
            lane: request.lane, tokens: Set(request.tokens), since: since, beat: request.signOfLife,
            seenAt: scheduler.now)
        if let place { state.hosts[place] = record } else { state.hosts.append(record) }
    }

    func tend(_ session: Session, _ request: TendRequest) -> StepResult {
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
                else { return .done(.lane(.fencedOff)) }
            }
            session.statement?.phase = .repairs
            return .goesOn
        case .repairs?:
            if let wait = lockUpserts(session) { return wait }
            session.statement?.phase = .mended
            return .goesOn
        case .mended?:
            for mended in request.mended {
                let item = index(of: mended.item)
                guard let row = state.repairs[item] else { continue }
                let stands = RepairRow(item: mended.item, version: row.version, notedBy: row.notedBy)
                if mended.covers(stands) { delete(item, session) }
            }
            if let settled = request.settled { deleteSettled(settled, session) }
            session.statement?.phase = .flush
            return .goesOn
        default:
            applyUpserts(session)
            for item in session.statement?.deletes ?? [] { state.repairs[item] = nil }
            if let place = place(ofLane: request.fence.lane) {
                state.lanes[place].journal = safeguards.journal ? request.journal.map { index(of: $0) } : []
            }
            return committed(session, .tended(settledUpTo: session.statement?.settledUpTo))
        }
    }

    /// False: somebody else is at the row, or it was noted by this very statement.
    @discardableResult
    private func delete(_ item: Int, _ session: Session) -> Bool {
        guard !isLocked(.repair(item), against: session),
            session.statement?.upserts.contains(where: { $0.item == item }) == false,
            lock(.repair(item), session) == nil
        else { return false }
        session.statement?.deletes.append(item)
        return true
    }

    /// All of them, or only the first.
    private func deleteSettled(_ settled: SettledRepairs, _ session: Session) {
        var rows = plan.items.indices.compactMap { item in state.repairs[item].map { (item, $0.notedBy) } }
            .filter { $0.1 >= settled.from && $0.1 < settled.before }
        rows.sort { ($0.1, $0.0) < ($1.1, $1.0) }
        let isShort = scheduler.chance.hits(percent: 30)
        for (item, notedBy) in rows where delete(item, session) {
            scheduler.coverage.note(.repairsSettled)
            guard isShort else { continue }
            session.statement?.settledUpTo = notedBy
            return
        }
    }

    func survey(_ session: Session, _ request: SurveyRequest) -> StepResult {
        switch session.statement?.phase {
        case .begins?:
            var items: Set<Int> = []
            let silent = state.hosts.filter { $0.lane != request.lane && isSilent($0) }.map(\.lane)
            for lane in silent where safeguards.journal && !isLocked(.lane(lane), against: session) {
                guard let place = place(ofLane: lane), !state.lanes[place].journal.isEmpty else { continue }
                if session.statement?.fenced.count == plan.limits.lanesPerSurvey { break }
                _ = lock(.lane(lane), session)
                session.statement?.fenced.append(lane)
                items.formUnion(state.lanes[place].journal)
            }
            session.statement?.upserts = upserts(of: items.sorted())
            session.statement?.phase = .repairs
            return .goesOn
        case .repairs?:
            if let wait = lockUpserts(session) { return wait }
            session.statement?.phase = .flush
            return .goesOn
        default:
            let fenced = session.statement?.fenced ?? []
            applyUpserts(session)
            for lane in fenced {
                scheduler.coverage.note(.silentLanesFenced)
                guard let place = place(ofLane: lane) else { continue }
                state.lanes[place].epoch += 1
                state.lanes[place].journal = []
            }
            let latest = state.hosts.map(\.since).max() ?? 0
            let signOfLife = state.hosts.first { $0.lane == request.lane }?.beat ?? -1
            note(request)
            let others = state.hosts.filter { $0.lane != request.lane && !isSilent($0) && !$0.tokens.isEmpty }
            let byTokens = Dictionary(grouping: others, by: \.tokens).values.sorted { one, other in
                (one.map(\.seenAt).max() ?? 0, one[0].lane) > (other.map(\.seenAt).max() ?? 0, other[0].lane)
            }
            let named = byTokens.prefix(Limits.tokensPerSurvey).map { hosts in
                let told = hosts.sorted { $0.lane < $1.lane }.prefix(Limits.hostsPerToken)
                return OtherHosts(
                    tokens: hosts[0].tokens,
                    signs: told.map { SignOfLife(lane: $0.lane, ageMs: (scheduler.now - $0.seenAt) / .ms(1)) })
            }
            let survey = Survey(
                silentLanesFenced: fenced.count, identity: identity, snapshot: snapshot,
                others: named, latest: latest,
                strayed: strayed(request), signOfLife: signOfLife, seals: seals)
            return committed(session, .surveyed(survey))
        }
    }

    private func strayed(_ request: SurveyRequest) -> [WrittenTo] {
        guard !request.servers.isEmpty else { return [] }
        let silent = state.hosts.filter { $0.lane == request.lane || scheduler.now - $0.seenAt > Postgres.straySilent }
        return state.lanes.filter { lane in
            !lane.servers.isEmpty && !lane.servers.isSubset(of: request.servers)
                && silent.contains { $0.lane == lane.lane }
                && !request.snapshot.hasEnded(lane.writtenBy)
        }.map { WrittenTo(transaction: $0.writtenBy, servers: $0.servers, surveyed: request.servers) }
    }

    private func isSilent(_ record: HostRecord) -> Bool { scheduler.now - record.seenAt > Postgres.hostSilent }

    /// As the real statement has it.
    static let hostSilent: Micros = .seconds(15)
    private static let straySilent: Micros = .ms(Limits.straySilentMs)

    private func upserts(of items: [Int]) -> [(item: Int, version: Int64)] {
        Set(items).sorted().compactMap { item in
            let version = state.counters[item].version
            return version == 0 ? nil : (item, version)
        }
    }
}
