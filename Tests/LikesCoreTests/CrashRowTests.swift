import Testing

@testable import LikesCore

@Suite("Crashes in a row")
struct CrashRowTests {
    @Test("Each that comes soon after its start makes the row longer; one that ran for long begins another.")
    func aCrashSoonAfterTheStartMakesTheRowLongerAndALateOneBeginsAnother() {
        #expect(CrashRow.length(behind: 0, ranMs: 0) == 1)
        #expect(CrashRow.length(behind: 3, ranMs: Limits.crashRunMsMax - 1) == 4)
        #expect(CrashRow.length(behind: 3, ranMs: Limits.crashRunMsMax) == 1)
        #expect(CrashRow.length(behind: .max, ranMs: 0) == Limits.crashesCountedMax)
        #expect(CrashRow.length(behind: 0, ranMs: .min) == 1)
    }

    @Test("The watchdog's kills are a row: one takes longer than a crash, and not as long as a run that lasted.")
    func theWatchdogsKillsAreARowToo() {
        // WatchdogSec= and TimeoutStopSec= of the unit.
        #expect(CrashRow.length(behind: 4, ranMs: 30_000) == 5)
    }

    @Test("A few are restarted at once, after that each start waits.")
    func aFewCrashesRestartAtOnceAfterThatEachStartWaits() {
        #expect((0..<Limits.crashesInARowMax).allSatisfy { CrashRow.pauseMs(after: $0) == 0 })
        #expect(CrashRow.pauseMs(after: Limits.crashesInARowMax) == Limits.crashPauseMs)
        #expect(CrashRow.pauseMs(after: Limits.crashesCountedMax) == Limits.crashPauseMs)
    }
}
