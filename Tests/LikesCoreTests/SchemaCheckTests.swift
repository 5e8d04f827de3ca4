import LikesProtocol
import LikesSettings
import Testing

@testable import LikesCore

/// Looking at the tables while running.
@Suite struct SchemaCheckTests {
    private let misfit = BackendFailure.schema("counters has no key", next: "psql -c 'ALTER TABLE counters …'")

    private func checking() -> Script {
        // Less than an attempt to connect may take, whose end would be another reason.
        let change = { (configuration: inout Configuration) in
            configuration.rateLimitRequests = 0
            configuration.requestTimeoutMs = 500
        }
        var script = Script(change, byHand: [.check])
        script.pass(ms: Limits.schemaCheckMs - 1)
        #expect(!script.take().contains { if case .lane(_, .checkSchema) = $0 { true } else { false } })
        script.pass(ms: Limits.surveyMs)
        return script
    }

    @Test("The lane looks at the tables now and then, and goes on where they fit.")
    func theLaneLooksAtTheTablesNowAndThenAndGoesOnWhereTheyFit() {
        var script = checking()
        #expect(script.take().contains(.checkSchema(1)))
        script.schemaIs(1, nil)
        #expect(script.core.lane.link.isUp)
        script.pass(ms: Limits.schemaCheckMs + Limits.surveyMs)
        #expect(script.take().contains(.checkSchema(2)))
    }

    @Test("Tables that do not fit any more take both connections away, and changes are told what to run.")
    func tablesThatDoNotFitAnyMoreTakeBothConnectionsAway() throws {
        var script = checking()
        let client = try script.open()
        script.schemaIs(1, misfit)
        let actions = script.take()
        #expect(actions.contains(.disconnect(.lane)))
        #expect(actions.contains(.disconnect(.reader)))
        #expect(script.core.healthMessage(now: script.now).hasPrefix("next: psql -c"))
        script.send(.like(ann), on: client)
        script.pass(ms: 500)
        let replies = script.replies(client)
        guard case .error(let error) = replies.first else {
            Issue.record("no error: \(replies)")
            return
        }
        #expect(error.code == .unavailable)
        #expect(error.message.contains("ALTER TABLE counters"))
    }

    @Test("Where PostgreSQL refuses a row the tables are looked at at once, and no more than once in a second.")
    func whereARowIsRefusedTheTablesAreLookedAtOnceInASecond() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, up: [.lane, .reader], byHand: [.check])
        script.pass(ms: Limits.schemaCheckMsMin)
        _ = script.take()
        let client = try script.open()
        func like() { script.send(.like(ann), on: client) }
        like()
        script.fail(1, .rows("no partition"))
        #expect(script.take().contains(.checkSchema(2)))
        script.schemaIs(2, nil)
        like()
        script.fail(3, .rows("no partition"))
        let actions = script.take()
        #expect(!actions.contains(.checkSchema(4)))
        // Though nobody asks for anything.
        #expect(script.core.nextTick.map { $0 <= script.now.adding(ms: Limits.schemaCheckMsMin) } == true)
        script.pass(ms: Limits.schemaCheckMsMin)
        #expect(script.take().contains(.checkSchema(4)))
    }

    @Test("Where PostgreSQL denies a statement the tables are looked at at once: a right may be missing.")
    func whereAStatementIsDeniedTheTablesAreLookedAtAtOnce() throws {
        var script = Script({ $0.rateLimitRequests = 0 }, up: [.lane, .reader], byHand: [.check])
        script.pass(ms: Limits.schemaCheckMsMin)
        _ = script.take()
        let client = try script.open()
        script.send(.like(ann), on: client)
        script.fail(1, .permission("denied", next: "psql -c 'GRANT …'"))
        #expect(script.core.lane.link.isUp)
        #expect(script.take().contains(.checkSchema(2)))
    }

    @Test("Where a new connection of the reader finds tables that do not fit, the lane looks at them at once.")
    func whereTheReaderFindsTablesThatDoNotFitTheLaneLooksAtOnce() {
        var script = Script({ $0.rateLimitRequests = 0 }, up: [.lane, .reader], byHand: [.check])
        script.pass(ms: Limits.schemaCheckMsMin)
        _ = script.take()
        script.refuse(.reader, misfit)
        #expect(script.core.lane.link.isUp)
        script.pass(ms: 1)
        #expect(script.take().contains(.checkSchema(1)))
    }

    @Test("A look that is denied itself ends the connection, and HEALTH says what to grant.")
    func aLookThatIsDeniedEndsTheConnectionAndHealthSaysWhatToGrant() {
        var script = checking()
        script.fail(1, .permission("denied", next: "psql -c 'GRANT …'"))
        #expect(script.take().contains(.disconnect(.lane)))
        #expect(
            script.core.healthMessage(now: script.now)
                == "next: psql -c 'GRANT …' (PostgreSQL: cannot check the tables: denied)")
    }

    @Test("A look that fails is done again later.")
    func aLookThatFailsIsDoneAgainLater() {
        var script = checking()
        script.fail(1, .other("out of memory"))
        #expect(script.core.lane.link.isUp)
        _ = script.take()
        script.pass(ms: Limits.schemaCheckMs + Limits.surveyMs)
        #expect(script.take().contains(.checkSchema(2)))
    }
}

extension Script {
    fileprivate mutating func refuse(_ backend: Backend, _ failure: BackendFailure) {
        step { core, turn in core.lost(backend, failure, &turn) }
    }
}
