import LikesProtocol
import LikesSettings
import Testing

@testable import LikesCore

/// The lane checks the tables while likesd runs.
@Suite struct SchemaCheckTests {
    private let misfit = BackendFailure.schema("counters has no key", next: "psql -c 'ALTER TABLE counters …'")

    private func checking() -> Scenario {
        // Shorter than an attempt to connect, whose failure would give another reason.
        let change = { (configuration: inout Configuration) in
            configuration.rateLimitRequests = 0
            configuration.requestTimeoutMs = 500
        }
        var scenario = Scenario(change, byHand: [.check])
        scenario.pass(ms: Limits.schemaCheckMs - 1)
        #expect(!scenario.take().contains { if case .lane(_, .checkSchema) = $0 { true } else { false } })
        scenario.pass(ms: Limits.surveyMs)
        return scenario
    }

    @Test("The lane checks the tables now and then, and goes on where they fit")
    func theLaneChecksTheTablesNowAndThenAndGoesOnWhereTheyFit() {
        var scenario = checking()
        #expect(scenario.take().contains(.checkSchema))
        scenario.schemaIs(nil)
        #expect(scenario.core.lane.link.isUp)
        scenario.pass(ms: Limits.schemaCheckMs + Limits.surveyMs)
        #expect(scenario.take().contains(.checkSchema))
    }

    @Test("When the tables do not fit any more, both connections are closed, and changes are answered with what to run")
    func tablesThatDoNotFitAnyMoreTakeBothConnectionsAway() throws {
        var scenario = checking()
        let client = try scenario.open()
        scenario.schemaIs(misfit)
        let actions = scenario.take()
        #expect(actions.contains(.disconnect(.lane)))
        #expect(actions.contains(.disconnect(.reader)))
        #expect(scenario.core.healthMessage(now: scenario.now).hasPrefix("next: psql -c"))
        scenario.send(.like(ann), on: client)
        scenario.pass(ms: 500)
        let replies = scenario.replies(client)
        guard case .error(let error) = replies.first else {
            Issue.record("no error: \(replies)")
            return
        }
        #expect(error.code == .unavailable)
        #expect(error.message.contains("ALTER TABLE counters"))
    }

    @Test("When PostgreSQL refuses a row, the tables are checked immediately, but no more than once a second")
    func whereARowIsRefusedTheTablesAreCheckedOnceInASecond() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [.lane, .reader], byHand: [.check])
        scenario.pass(ms: Limits.schemaCheckMsMin)
        _ = scenario.take()
        let client = try scenario.open()
        func like() { scenario.send(.like(ann), on: client) }
        like()
        scenario.fail(.rows("no partition"))
        #expect(scenario.take().contains(.checkSchema))
        scenario.schemaIs(nil)
        like()
        scenario.fail(.rows("no partition"))
        let actions = scenario.take()
        #expect(!actions.contains(.checkSchema))
        // A tick is due for it, even if nobody asks for anything.
        #expect(scenario.core.nextTick.map { $0 <= scenario.now.adding(ms: Limits.schemaCheckMsMin) } == true)
        scenario.pass(ms: Limits.schemaCheckMsMin)
        #expect(scenario.take().contains(.checkSchema))
    }

    @Test("When PostgreSQL denies a statement, the tables are checked immediately: a right may be missing")
    func whereAStatementIsDeniedTheTablesAreCheckedAtOnce() throws {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [.lane, .reader], byHand: [.check])
        scenario.pass(ms: Limits.schemaCheckMsMin)
        _ = scenario.take()
        let client = try scenario.open()
        scenario.send(.like(ann), on: client)
        scenario.fail(.permission("denied", next: "psql -c 'GRANT …'"))
        #expect(scenario.core.lane.link.isUp)
        #expect(scenario.take().contains(.checkSchema))
    }

    @Test("When a new connection of the reader finds tables that do not fit, the lane checks them immediately")
    func whereTheReaderFindsTablesThatDoNotFitTheLaneChecksAtOnce() {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [.lane, .reader], byHand: [.check])
        scenario.pass(ms: Limits.schemaCheckMsMin)
        _ = scenario.take()
        scenario.lose(.reader, misfit)
        #expect(scenario.core.lane.link.isUp)
        scenario.pass(ms: 1)
        #expect(scenario.take().contains(.checkSchema))
    }

    @Test("If the check itself is denied, the connection ends, and HEALTH says what to grant")
    func aCheckThatIsDeniedEndsTheConnectionAndHealthSaysWhatToGrant() {
        var scenario = checking()
        scenario.fail(.permission("denied", next: "psql -c 'GRANT …'"))
        #expect(scenario.take().contains(.disconnect(.lane)))
        #expect(
            scenario.core.healthMessage(now: scenario.now)
                == "next: psql -c 'GRANT …' (PostgreSQL: cannot check the tables: denied)")
    }

    @Test("A check that fails is done again later")
    func aCheckThatFailsIsDoneAgainLater() {
        var scenario = checking()
        scenario.fail(.other("out of memory"))
        #expect(scenario.core.lane.link.isUp)
        _ = scenario.take()
        scenario.pass(ms: Limits.schemaCheckMs + Limits.surveyMs)
        #expect(scenario.take().contains(.checkSchema))
    }
}
