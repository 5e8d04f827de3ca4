import Testing

@testable import LikesCore

@Suite("Crashes in a row")
struct CrashRowTests {
    @Test("A crash soon after the start makes the row longer; a crash after a long run begins a new row")
    func aCrashSoonAfterTheStartMakesTheRowLongerAndALateOneBeginsAnother() {
        #expect(CrashRow.length(behind: 0, ranMs: 0) == 1)
        #expect(CrashRow.length(behind: 3, ranMs: Limits.crashRunMsMax - 1) == 4)
        #expect(CrashRow.length(behind: 3, ranMs: Limits.crashRunMsMax) == 1)
        #expect(CrashRow.length(behind: .max, ranMs: 0) == Limits.crashesCountedMax)
        #expect(CrashRow.length(behind: 0, ranMs: .min) == 1)
    }

    @Test("Kills by the watchdog make a row too: they take longer than a crash, but not as long as a long run")
    func theWatchdogsKillsAreARowToo() {
        // WatchdogSec= and TimeoutStopSec= of the unit.
        #expect(CrashRow.length(behind: 4, ranMs: 30_000) == 5)
    }

    @Test("After the first few crashes likesd restarts at once; after more, each start waits")
    func aFewCrashesRestartAtOnceAfterThatEachStartWaits() {
        #expect((0..<Limits.crashesInARowMax).allSatisfy { CrashRow.pauseMs(after: $0) == 0 })
        #expect(CrashRow.pauseMs(after: Limits.crashesInARowMax) == Limits.crashPauseMs)
        #expect(CrashRow.pauseMs(after: Limits.crashesCountedMax) == Limits.crashPauseMs)
    }
}
