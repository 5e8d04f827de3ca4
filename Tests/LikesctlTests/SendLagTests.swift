import Testing

@testable import likesctl

/// Who is to blame for a request that left late.
@Suite struct SendLagTests {
    @Test("A request is late by the time since it was due.")
    func aRequestIsLateByTheTimeSinceItWasDue() {
        var lag = SendLag()
        #expect(lag.sent(dueNs: 10, 10) == 0)
        #expect(lag.sent(dueNs: 20, 50) == 30)
    }

    @Test("What became due while no connection had room is not late, however long working it off takes.")
    func whatBecameDueWhileNoConnectionHadRoomIsNotLate() {
        var lag = SendLag()
        lag.held()
        #expect(lag.isHeld)
        #expect(lag.sent(dueNs: 10, 1_000) == 0)
        #expect(!lag.isHeld)
        #expect(lag.sent(dueNs: 1_000, 9_000) == 0)
    }

    @Test("What became due after there was room again is late by the time since then.")
    func whatBecameDueOnceThereWasRoomAgainIsLate() {
        var lag = SendLag()
        lag.held()
        #expect(lag.sent(dueNs: 10, 1_000) == 0)
        #expect(lag.sent(dueNs: 1_001, 9_000) == 7_999)
    }
}
