import LikesStorage
import Testing

@testable import LikesCore

/// What a host makes of the data that other hosts name, and how it knows them again.
@Suite struct TrustTests {
    @Test("Another host's sign of life counts only from when this host knew its data, and again 4 s after it was seen")
    func anotherHostsSignOfLifeCountsFromWhenThisHostKnewItsData() {
        var trust = Trust(now: .ms(0))
        trust.identified(Scenario.generation, now: .ms(1_000))
        func named(at signedMs: Int64, now: Int64) -> Trust.Agreement {
            var others = Trust.Others()
            others.processes = [1]
            others.add(Trust.NamedData(process: 1, token: "bbbbbbbbbbbb"), signedAt: .ms(signedMs))
            return trust.compare(others, era: 0, now: .ms(now))
        }
        #expect(named(at: 999, now: 1_500) == .agreed)
        #expect(named(at: 1_000, now: 1_600) == .unclear)
        let again = 1_600 + Limits.disputeConfirmMs
        #expect(named(at: again - 1, now: again) == .unclear, "it may not have heard of this host's data yet")
        #expect(named(at: again, now: again + 1) == .disputed)
    }

    @Test("A survey that does not tell of a host says nothing of what the host names")
    func aSurveyThatDoesNotTellOfAHostSaysNothingOfIt() {
        for isToldOf in [false, true] {
            var trust = Trust(now: .ms(0))
            trust.identified(Scenario.generation, now: .ms(0))
            var others = Trust.Others()
            others.processes = [1]
            others.add(Trust.NamedData(process: 1, token: "bbbbbbbbbbbb"), signedAt: .ms(500))
            #expect(trust.compare(others, era: 0, now: .ms(1_000)) == .unclear)
            #expect(trust.compare(Trust.Others(processes: isToldOf ? [1] : [2]), era: 0, now: .ms(2_000)) == .agreed)
            others.add(Trust.NamedData(process: 1, token: "bbbbbbbbbbbb"), signedAt: .ms(6_000))
            #expect(trust.compare(others, era: 0, now: .ms(6_001)) == (isToldOf ? .unclear : .disputed))
        }
    }

    @Test("A process has each lane number once, and takes another process' when it has had them all")
    func aProcessHasEachLaneNumberOnce() {
        var random = Random(seed: 1)
        #expect(LaneNumber.process(of: LaneNumber.first(&random)) != LaneNumber.process(of: LaneNumber.first(&random)))
        for last in [Int64.max, 0xFFFF, 0x1234_FFFF] {
            #expect(LaneNumber.next(after: last - 1, &random) == last)
            let next = LaneNumber.next(after: last, &random)
            #expect(next > 0 && LaneNumber.process(of: next) != LaneNumber.process(of: last))
        }
    }
}
