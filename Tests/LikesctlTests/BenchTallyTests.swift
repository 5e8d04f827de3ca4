import Testing

@testable import likesctl

/// What is counted, and how it is printed.
@Suite struct BenchTallyTests {
    @Test("Codes are counted one by one, and those beyond the limit together.")
    func codes() {
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
    func lateness() {
        var tally = BenchTally()
        tally.sent(lagNs: BenchLimits.lateNs)
        tally.sent(lagNs: BenchLimits.lateNs + 1)
        #expect(tally.lateSends == 1)
        #expect(tally.sendLagMaxNs == BenchLimits.lateNs + 1)
    }

    @Test("Decimals are rounded and filled with zeros.")
    func decimals() {
        #expect(Decimals.text(0, places: 3) == "0.000")
        #expect(Decimals.text(1.0004, places: 3) == "1.000")
        #expect(Decimals.text(1.0605, places: 2) == "1.06")
        #expect(Decimals.text(0.999_6, places: 3) == "1.000")
        #expect(Decimals.text(123_456.07, places: 1) == "123456.1")
    }

    @Test("A run fails when nothing was answered, or the daemon did not come back.")
    func statuses() {
        func status(_ tally: BenchTally, _ ending: BenchRun.Ending) -> likesctl.ExitStatus {
            BenchReport(options: BenchOptions(), tally: tally, seconds: 1, cpuSeconds: 0, ending: ending).status
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
