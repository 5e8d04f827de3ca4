import LikesCore
import LikesProtocol
import LikesSettings
import LikesStorage
import Testing

@testable import TestSupport
@testable import likesd

// What hosts say of themselves, and find out of each other.

extension LaneStatementTests {
    @Test("A survey tells what database this is, what was said last, and what other living hosts use.")
    func aSurveyTellsTheDatabaseTheLastSignAndWhatOtherHostsUse() throws {
        let first = try lane.survey(1, tokens: ["aaaaaaaaaaaa"], since: DatabaseSnapshot(least: 700))
        #expect(first.others == [])
        try control.run("INSERT INTO counters (item_id, item_type) VALUES (1, 1)")
        let second = try lane.survey(2)
        #expect(second.others.map(\.tokens) == [["aaaaaaaaaaaa"]])
        #expect(first.latest == 0 && second.latest == 700)
        // The greatest stays, also where the lane gets another number.
        _ = try lane.survey(1, tokens: ["bbbbbbbbbbbb"], since: DatabaseSnapshot(least: 600), signOfLife: 2)
        _ = try lane.fence(3, former: 1)
        #expect(try lane.survey(4).latest == 700)
        #expect(second.identity == first.identity)
        #expect(first.signOfLife == -1 && second.signOfLife == -1)
        #expect(try lane.survey(2, signOfLife: 7).signOfLife == 1)
        #expect(second.snapshot.least >= first.snapshot.least)
        try control.run("UPDATE likesd_hosts SET seen_at = now() - interval '16 s'")
        #expect(try lane.survey(2).others == [])
        try control.run("TRUNCATE counters")
        let emptied = try lane.survey(2).identity
        #expect(emptied.system == first.identity.system && emptied.tables != first.identity.tables)
    }

    @Test("A sign of life that comes late, from a connection that was given up, changes nothing.")
    func aSignOfLifeThatComesLateChangesNothing() throws {
        _ = try lane.survey(1, tokens: ["bbbbbbbbbbbb"], signOfLife: 3)
        _ = try lane.survey(1, tokens: ["aaaaaaaaaaaa"], signOfLife: 2)
        #expect(try lane.survey(2).others.map(\.tokens) == [["bbbbbbbbbbbb"]])
        #expect(try lane.survey(1, signOfLife: 4).signOfLife == 3)
    }

    @Test("A survey tells what other hosts use, node by node, and how old their last sign of life is.")
    func aSurveyTellsWhatOtherHostsUseAndHowOldTheirSignsAre() throws {
        _ = try lane.survey(1, tokens: ["cccccccccccc", "aaaaaaaaaaaa"])
        _ = try lane.survey(2, tokens: ["aaaaaaaaaaaa", "cccccccccccc"])
        _ = try lane.survey(4, tokens: ["bbbbbbbbbbbb"])
        #expect(
            try control.run("SELECT generation FROM likesd_hosts ORDER BY lane")
                == [["aaaaaaaaaaaa,cccccccccccc"], ["aaaaaaaaaaaa,cccccccccccc"], ["bbbbbbbbbbbb"]])
        try control.run("UPDATE likesd_hosts SET seen_at = now() - interval '5 s' WHERE lane IN (2, 4)")
        let found = try lane.survey(3).others
        #expect(found.map(\.tokens) == [["aaaaaaaaaaaa", "cccccccccccc"], ["bbbbbbbbbbbb"]])
        #expect(found.map { $0.signs.map(\.lane) } == [[1, 2], [4]])
        #expect((0..<4_000).contains(found[0].signs[0].ageMs) && (5_000..<14_000).contains(found[0].signs[1].ageMs))
        #expect((5_000..<14_000).contains(found[1].signs[0].ageMs))
        try control.run("UPDATE likesd_hosts SET seen_at = now() + interval '5 s' WHERE lane = 4")
        #expect(try lane.survey(3).others.count == 1, "a sign of life to come is none")
    }

    @Test("Of many hosts that use the same data, a survey tells of the same few each time")
    func ofManyHostsASurveyTellsOfTheSameFew() throws {
        let many = Int64(2 * Limits.hostsPerToken)
        for turn in 1...2 as ClosedRange<Int64> {
            for host in (1...many).shuffled() { _ = try lane.survey(host, tokens: ["aaaaaaaaaaaa"], signOfLife: turn) }
            let found = try lane.survey(99).others
            #expect(found.map { $0.signs.map(\.lane) } == [Array(1...Int64(Limits.hostsPerToken))])
        }
    }

    @Test("However many nodes others use, a survey's answer has an end, and is read.")
    func aSurveysAnswerHasAnEnd() throws {
        for host in 1...9 as ClosedRange<Int64> {
            _ = try lane.survey(host, tokens: (0..<400).map { "token\(host)x\($0)" })
        }
        let others = try lane.survey(99).others
        #expect((2...8).contains(others.count) && others.allSatisfy { $0.tokens.count == 400 })
    }

    @Test(
        "A survey tells of batches that were to be written to another Redis, and had not ended when the data was made.")
    func aSurveyTellsOfBatchesThatWereToBeWrittenToAnotherRedis() throws {
        func strayed(servers: [String] = ["two:two"], since: DatabaseSnapshot) throws -> [WrittenTo] {
            try lane.survey(9, tokens: ["bbbbbbbbbbbb"], servers: servers, since: since).strayed
        }
        func commit(_ batch: CommitRequest) throws {
            guard case .committed = try lane.commit(batch) else { throw Failure(text: "not committed") }
        }
        let other = try database.connect()
        try other.run("BEGIN")
        try other.run("CREATE TEMPORARY TABLE long_one () ON COMMIT DROP")
        let begin = try lane.survey(9).snapshot
        #expect(try lane.fence(7) == .fenced(nil))
        var batch = request([like(1, 5)])
        try commit(batch)
        #expect(try strayed(since: begin) == [], "Redis was away")
        (batch.batch, batch.server) = (2, "one:one")
        try commit(batch)
        #expect(try strayed(since: begin) == [], "a host that lives finds it itself")
        let own = try lane.survey(7, tokens: ["bbbbbbbbbbbb"], servers: ["two:two"], since: begin).strayed
        try control.run("UPDATE likesd_hosts SET seen_at = now() - interval '7 s' WHERE lane = 7")
        let found = try strayed(since: begin)
        #expect(found == own)
        #expect(
            found.count == 1
                && found.allSatisfy {
                    $0.transaction > begin.least && $0.unknown == ["one:one"] && $0.lacking == ["two:two"]
                })
        #expect(try strayed(servers: ["one:one"], since: begin) == [])
        #expect(try strayed(servers: ["two:two", "one:one"], since: begin) == [])
        #expect(try strayed(servers: [], since: begin) == [])
        // The transaction that began before and still runs says nothing of those that have ended meanwhile.
        let later = try lane.survey(9).snapshot
        #expect(later.least == begin.least && later.least < found[0].transaction)
        #expect(try strayed(since: later) == [])
        let running = found.map(\.transaction)
        #expect(
            try strayed(since: DatabaseSnapshot(least: begin.least, next: later.next, running: running)) == found)
        try other.run("COMMIT")
        // It goes along with the lane, and stays where a later batch is cut off.
        #expect(try lane.fence(8, former: 7) == .fenced(nil))
        batch = request([like(2, 5)], lane: 8)
        try commit(batch)
        #expect(try strayed(since: begin) == found)
        // To several, one of which nobody has any more.
        (batch.batch, batch.server) = (2, "one:one,two:two")
        try commit(batch)
        try control.run("UPDATE likesd_hosts SET seen_at = now() - interval '7 s' WHERE lane = 8")
        #expect(try strayed(since: begin).map(\.unknown) == [["one:one"]])
        #expect(try strayed(servers: ["one:one", "three:three", "two:two"], since: begin) == [])
        // Restored from another server's.
        try control.run("UPDATE lanes SET written_by = (pg_current_xact_id()::text::bigint + 1000)::text::xid8")
        #expect(try strayed(since: begin) == [])
    }

    @Test(
        "While a snapshot keeps the dead rows of all hosts' batches, a survey visits few of them.",
        arguments: [false, true])
    func whileASnapshotKeepsDeadRowsASurveyVisitsFewOfThem(isSilent: Bool) throws {
        let holder = try database.connect()
        try holder.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
        try holder.run("SELECT count(*) FROM counters")
        let explainer = try database.connect()
        try explainer.run(ConnectionSetup.sessionText(Configuration()))
        try explainer.run("PREPARE survey AS \(LaneStatements.survey)")
        var visited: [Int] = []
        // As hosts do it, whose lane gets another number now and then.
        for number in 1...8 as ClosedRange<Int64> {
            #expect(try lane.fence(number, former: number > 1 ? number - 1 : nil) == .fenced(nil))
            for place in 1...500 as ClosedRange<Int64> {
                var batch = request([like(1, 5)], lane: number, batch: place)
                batch.server = "one:one"
                guard case .committed = try lane.commit(batch) else { throw Failure(text: "not committed") }
            }
            if isSilent { try control.run("UPDATE likesd_hosts SET seen_at = now() - interval '7 s'") }
            visited.append(try pages(explainer, "survey (9, '', 'two:two', 0, \(number), 0, 0, '{}')"))
        }
        try holder.run("ROLLBACK")
        // One that passed all of them would visit eight times as many in the end.
        #expect((visited.max() ?? 0) <= 3 * visited[0], "\(visited)")
    }

    @Test("A lane is forgotten after a day without a word, unless it has a journal.")
    func aLaneIsForgottenAfterADayUnlessItHasAJournal() throws {
        for number in 1...3 as ClosedRange<Int64> { _ = try lane.fence(number) }
        try control.run("UPDATE likesd_hosts SET seen_at = now() - interval '25 hours' WHERE lane < 3")
        try control.run("UPDATE lanes SET item_ids = '{1}', item_types = '{1}' WHERE lane = 2")
        #expect(try lane.survey().silentLanesFenced == 1)
        #expect(try control.run("SELECT lane FROM lanes ORDER BY 1") == [["2"], ["3"]])
    }
}
