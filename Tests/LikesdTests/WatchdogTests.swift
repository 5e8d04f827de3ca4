import Testing

@testable import likesd

@Suite struct WatchdogTests {
    private static let timeoutMs: Int64 = 9_000
    private var watchdog = Watchdog(timeoutMs: timeoutMs, now: .ms(0))
    private var nowMs: Int64 = 0
    private var served: UInt64 = 7

    /// The end of a turn when the next sign is due: whether it is given.
    private mutating func sign(overdueMs: Int64 = 0, isClientWaiting: Bool = false, serving: UInt64 = 0) -> Bool {
        nowMs += Self.timeoutMs / Watchdog.signsPerTimeout
        served += serving
        let progress = Progress(overdueMs: overdueMs, isClientWaiting: isClientWaiting, servedTotal: served)
        return watchdog.turnEnded(now: .ms(nowMs)) { progress }
    }

    @Test("A sign is given three times as often as systemd wants one, at rest as well")
    mutating func aSignIsGivenThreeTimesAsOftenAsSystemdWantsOne() {
        var signs = 0
        for ms in stride(from: Int64(0), to: Self.timeoutMs, by: 10) {
            let progress = Progress(overdueMs: 0, isClientWaiting: false, servedTotal: 0)
            if watchdog.turnEnded(now: .ms(ms), { progress }) { signs += 1 }
        }
        #expect(signs == 3)
        #expect(watchdog.dueAt == .ms(9_000))
    }

    @Test("A loop that turns while clients wait and none is served gets no sign")
    mutating func aLoopThatTurnsWhileClientsWaitUnservedGetsNoSign() {
        #expect(sign(isClientWaiting: true))
        #expect(!sign(isClientWaiting: true))
        #expect(!sign(isClientWaiting: true))
        #expect(sign(isClientWaiting: true, serving: 1))
        #expect(!sign(isClientWaiting: true))
        #expect(sign(isClientWaiting: false))
    }

    @Test("Under load, where some client always waits, signs are given as long as clients are served")
    mutating func underLoadSignsAreGivenAsLongAsClientsAreServed() {
        for _ in 0..<20 { #expect(sign(isClientWaiting: true, serving: 100)) }
    }

    @Test("A core that is not told the time gets no sign")
    mutating func aCoreThatIsNotToldTheTimeGetsNoSign() {
        #expect(sign(overdueMs: Watchdog.overdueMsMax - 1))
        #expect(!sign(overdueMs: Watchdog.overdueMsMax))
        #expect(sign(overdueMs: -500))
    }

    @Test("Nobody asked for it: never a sign, and no wake-up for one", arguments: [nil, 0] as [Int64?])
    func withoutSystemdAskingThereIsNeverASign(timeoutMs: Int64?) {
        var watchdog = Watchdog(timeoutMs: timeoutMs, now: .ms(0))
        #expect(watchdog.dueAt == nil)
        let progress = Progress(overdueMs: 0, isClientWaiting: false, servedTotal: 0)
        let isGiven = watchdog.turnEnded(now: .ms(99_999)) { progress }
        #expect(!isGiven)
    }
}
