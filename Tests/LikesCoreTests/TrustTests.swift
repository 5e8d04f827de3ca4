import LikesStorage
import Testing

@testable import LikesCore

/// What a host makes of the data that other hosts name, and how it knows them again.
@Suite struct TrustTests {
    @Test("Another host's sign of life counts only from when this host knew its data, and again 4 s later")
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
        let again = 1_000 + Limits.disputeConfirmMs
        #expect(named(at: again - 1, now: again) == .unclear, "it may not have heard of this host's data yet")
        #expect(named(at: again, now: again + 1) == .disputed)
    }

    @Test("However long surveys take, a host that stays with other data is found out", arguments: [0, 3_000, 9_000])
    func howeverLongSurveysTakeAHostIsFoundOut(latencyMs: Int64) {
        var trust = Trust(now: .ms(0))
        trust.identified(Scenario.generation, now: .ms(0))
        func named(at signedMs: Int64) -> Trust.Agreement {
            var others = Trust.Others()
            others.processes = [1]
            others.add(Trust.NamedData(process: 1, token: "bbbbbbbbbbbb"), signedAt: .ms(signedMs))
            return trust.compare(others, era: 0, now: .ms(signedMs + 2 * latencyMs))
        }
        #expect(named(at: 1_000) == .unclear)
        #expect(named(at: 1_000 + Limits.surveyMs) == .disputed)
    }

    @Test("Signs of life that are further apart than a living host's are those of a host that woke up twice")
    func signsThatAreFarApartAreOfAHostThatWokeUpTwice() {
        var trust = Trust(now: .ms(0))
        trust.identified(Scenario.generation, now: .ms(0))
        for signedMs in [1_000, 12_000, 23_000] as [Int64] {
            var others = Trust.Others()
            others.processes = [1]
            others.add(Trust.NamedData(process: 1, token: "bbbbbbbbbbbb"), signedAt: .ms(signedMs))
            #expect(trust.compare(others, era: 0, now: .ms(signedMs)) == .unclear)
        }
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
