import LikesctlCommands
import Testing

@testable import likesctl

/// What is counted, and how it is printed.
@Suite struct BenchTallyTests {
    @Test("Codes are counted one by one, and those beyond the limit together.")
    func codesAreCountedOneByOneUpToTheLimit() {
        var tally = BenchTally()
        for _ in 0..<3 {
            for number in 0..<BenchLimits.errorCodesMax + 5 { tally.failed(ReplyCode("E\(number)")) }
        }
        #expect(tally.errors.count == BenchLimits.errorCodesMax)
        #expect(tally.errors.first?.count == 3)
        #expect(tally.errors.last?.code == .other)
        #expect(tally.failed == Int64(3 * (BenchLimits.errorCodesMax + 5)))
    }

    @Test("Only requests later than the limit are late.")
    func onlyRequestsLaterThanTheLimitAreLate() {
        var tally = BenchTally()
        tally.sent(lagNs: BenchLimits.lateNs)
        tally.sent(lagNs: BenchLimits.lateNs + 1)
        #expect(tally.lateSends == 1)
        #expect(tally.sendLagMaxNs == BenchLimits.lateNs + 1)
    }

    @Test("A schedule is kept as long as no more than the limit of a thousand requests are late.")
    func aScheduleIsKeptAsLongAsFewRequestsAreLate() {
        var tally = BenchTally()
        #expect(tally.isScheduleKept)
        for _ in 0..<BenchLimits.latePerMilleMax { tally.sent(lagNs: BenchLimits.lateNs + 1) }
        #expect(!tally.isScheduleKept)
        while tally.sends < 1_000 { tally.sent(lagNs: 0) }
        #expect(tally.isScheduleKept)
        tally.sent(lagNs: BenchLimits.lateNs + 1)
        #expect(!tally.isScheduleKept)
    }

    @Test("A schedule that was not kept is said in the text, and in the JSON.")
    func aScheduleThatWasNotKeptIsReportedInTextAndJSON() {
        var options = BenchOptions()
        options.rate = 10
        var tally = BenchTally()
        tally.answered(.count, first: 1, latencyNs: 1_000)
        tally.sent(lagNs: BenchLimits.lateNs + 1)
        let late = report(options, tally)
        #expect(late.text.contains("the generator could not keep the rate"))
        #expect(late.json.text.contains("\"schedule_kept\":false"))
        #expect(report(BenchOptions(), BenchTally()).json.text.contains("\"schedule_kept\":null"))
    }

    @Test("Requests that queued up are said in the text; a last answer a little later than the rest is not.")
    func requestsThatQueuedUpAreSaidInTheText() {
        var options = BenchOptions()
        options.rate = 10
        let words = "requests queued up"
        func text(seconds: Double, behindNs: Int64) -> String {
            report(options, BenchTally(), seconds: seconds, behindNs: behindNs).text
        }
        #expect(!text(seconds: 1, behindNs: BenchLimits.behindNsMax).contains(words))
        #expect(text(seconds: 1, behindNs: BenchLimits.behindNsMax + 1).contains(words))
        #expect(!text(seconds: 100, behindNs: BenchLimits.behindNsMax + 1).contains(words))
        #expect(text(seconds: 100, behindNs: 2_000_000_001).contains(words))
    }

    private func report(
        _ options: BenchOptions, _ tally: BenchTally, seconds: Double = 1, behindNs: Int64 = 0,
        _ ending: BenchRun.Ending = .finished
    ) -> BenchReport {
        BenchReport(
            options: options, tally: tally, seconds: seconds, behindNs: behindNs,
            connectionsLeast: options.connections, cpuSeconds: 0, ending: ending)
    }

    @Test("Decimals are rounded and filled with zeros.")
    func decimalsAreRoundedAndFilledWithZeros() {
        #expect(Decimals.text(0, places: 3) == "0.000")
        #expect(Decimals.text(1.0004, places: 3) == "1.000")
        #expect(Decimals.text(1.0605, places: 2) == "1.06")
        #expect(Decimals.text(0.999_6, places: 3) == "1.000")
        #expect(Decimals.text(123_456.07, places: 1) == "123456.1")
    }

    @Test("A run fails when nothing was answered, or the daemon did not come back.")
    func aRunFailsWhenNothingWasAnsweredOrTheDaemonDidNotComeBack() {
        func status(_ tally: BenchTally, _ ending: BenchRun.Ending) -> LikesctlCommands.ExitStatus {
            report(BenchOptions(), tally, ending).status
        }
        var failed = BenchTally()
        failed.failed(.lost)
        var mixed = failed
        mixed.answered(.count, first: 3, latencyNs: 1_000)
        #expect(status(failed, .finished) == .refused)
        #expect(status(mixed, .finished) == .ok)
        #expect(status(mixed, .interrupted) == .ok)
        #expect(status(mixed, .gone) == .refused)
        #expect(status(mixed, .silent) == .refused)
        #expect(status(BenchTally(), .interrupted) == .ok)
    }
}
