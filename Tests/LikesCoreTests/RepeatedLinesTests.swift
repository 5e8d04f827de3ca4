import LikesProtocol
import Testing

@testable import LikesCore

/// Lines of the log that come again and again.
@Suite struct RepeatedLinesTests {
    private final class Log {
        var lines = RepeatedLines()
        private var turn = Turn(now: .ms(1_000))

        var now: Instant {
            get { turn.now }
            set { turn.now = newValue }
        }

        func add(_ kind: RepeatedLines.Kind, _ text: String) { lines.add(kind, .error, text, &turn) }

        func pass(ms: Int64) {
            turn.now = turn.now.adding(ms: ms)
            lines.tick(&turn)
        }

        func flush() { lines.flush(&turn) }

        func take() -> [String] {
            defer { turn.actions = [] }
            return turn.actions.compactMap { if case .log(_, let text) = $0 { text } else { nil } }
        }
    }

    @Test("The first line is logged at once; the others are counted, and the last of them is logged at the end")
    func theFirstIsSaidAtOnceAndTheOthersAreCounted() {
        let log = Log()
        for number in 1...700 { log.add(.refusedRows, "row \(number)") }
        #expect(log.take() == ["row 1"])
        #expect(log.lines.wakeAt == log.now.adding(ms: Limits.logWindowMs))
        log.pass(ms: Limits.logWindowMs - 1)
        #expect(log.take() == [])
        log.pass(ms: 1)
        #expect(log.take() == ["row 700 … and 698 more like it"])
        // They keep coming.
        log.add(.refusedRows, "row 701")
        log.pass(ms: 2 * Limits.logWindowMs - 1)
        #expect(log.take() == [])
        log.pass(ms: 1)
        #expect(log.take() == ["row 701"])
        log.pass(ms: 4 * Limits.logWindowMs)
        #expect(log.lines.wakeAt == nil)
        log.add(.refusedRows, "row 702")
        #expect(log.take() == ["row 702"])
    }

    @Test("What goes on for ever costs two lines a minute at most, whether it tells of steps or not")
    func whatGoesOnForEverCostsTwoLinesAMinute() {
        for kind in [RepeatedLines.Kind.refusedRows, .connection(.lane)] {
            let log = Log()
            for number in 1...7_200 {
                log.add(kind, "\(number)")
                log.pass(ms: 500)
            }
            #expect(log.take().count <= kind.linesMax + 4 + 60)
        }
    }

    @Test("Before a line that comes late is logged, the one that was held is")
    func aLineThatComesLateFindsTheOneHeldBeforeItSaid() {
        let log = Log()
        for text in ["a", "b", "c"] { log.add(.refusedRows, text) }
        log.now = log.now.adding(ms: Limits.logWindowMs)
        log.add(.refusedRows, "d")
        #expect(log.take() == ["a", "c … and 1 more like it"])
        log.flush()
        #expect(log.take() == ["d"])
    }

    @Test("Each kind is counted for itself, and steps of a connection are told apart")
    func eachKindIsCountedForItself() {
        let log = Log()
        log.add(.refusedRows, "a row")
        log.add(.refusedStatement, "a statement")
        #expect(log.take() == ["a row", "a statement"])
        for number in 1...Limits.logStepsMax + 2 { log.add(.connection(.lane), "\(number)") }
        log.add(.connection(.reader), "reader")
        #expect(log.take() == (1...Limits.logStepsMax).map(String.init) + ["reader"])
        log.flush()
        #expect(log.take() == ["\(Limits.logStepsMax + 2) … and 1 more like it"])
    }

    // MARK: In the core

    private static func refusing(_ count: Int) throws -> (Scenario, [String]) {
        var scenario = Scenario({ $0.rateLimitRequests = 0 }, up: [.lane, .reader])
        let client = try scenario.open()
        for number in 1...Int64(count) {
            scenario.send(.like(Pair(user: number, item: post)), on: client)
            scenario.fail(.rows("value \(number)"))
        }
        let lines = scenario.actions.compactMap { action -> String? in
            guard case .log(.error, let text) = action else { return nil }
            return text
        }
        return (scenario, lines)
    }

    @Test("However many rows PostgreSQL refuses, the log gets one line in a while")
    func howeverManyRowsPostgreSQLRefusesTheLogGetsALineInAWhile() throws {
        var (scenario, lines) = try Self.refusing(300)
        #expect(lines == ["PostgreSQL refused a statement's values: value 1"])
        _ = scenario.take()
        #expect(scenario.core.nextTick.map { $0 <= scenario.now.adding(ms: Limits.logWindowMs) } == true)
        scenario.pass(ms: Limits.logWindowMs)
        let last = "PostgreSQL refused a statement's values: value 300 … and 298 more like it"
        #expect(scenario.actions.contains(.log(.error, last)))
    }

    @Test("A Redis that refuses and takes in turns does not fill the log")
    func aRedisThatRefusesAndTakesInTurnsDoesNotFillTheLog() {
        var scenario = Scenario()
        for number in 1...50 {
            scenario.step { core, turn in
                core.noteRefusal("busy \(number)", of: .writing, on: 0, &turn)
                core.noteRefusal(nil, of: .writing, on: 0, &turn)
            }
        }
        #expect(scenario.actions.filter { $0 == .log(.warning, "Redis refuses writing: busy 1") }.count == 1)
        #expect(scenario.actions.count { if case .log(.warning, _) = $0 { true } else { false } } == 1)
    }
}
