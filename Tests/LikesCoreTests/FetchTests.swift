import LikesProtocol
import Testing

@testable import LikesCore

@Suite struct FetchTests {
    private func part(_ number: Int) -> Part {
        let connection = ConnectionID(slot: UInt32(number), incarnation: 0)
        return Part(ticket: Ticket(connection: connection, sequence: 0), place: Part.whole)
    }

    private func item(_ number: Int) -> Item { Item(type: 1, id: Int64(number)) }

    @Test("A client that asks for few counts does not wait behind those that ask for many, and both get on")
    func whoAsksForFewCountsDoesNotWaitBehindThoseWhoAskForMany() {
        var fetches = Fetches()
        for number in 0..<100 { fetches.join(item(number), part(1), isSmall: false) }
        for number in 100..<110 { fetches.join(item(number), part(number), isSmall: true) }
        // A client that asks for few joins a fetch that one that asks for many waits for.
        fetches.join(item(90), part(2), isSmall: true)
        let first = fetches.takeForRedis(0, max: 8)
        #expect(first == [100, 101, 102, 103, 0, 1, 2, 3].map(item))
        let second = fetches.takeForRedis(0, max: 20)
        #expect(second == ((104..<110) + [90] + (4..<17)).map(item))
        let rest = fetches.takeForRedis(0, max: .max)
        #expect(rest == (Array(17..<90) + (91..<100)).map(item))
    }

    @Test("A connection counts as asking for few while it has few under way")
    func aConnectionAsksForFewWhileItHasFewUnderWay() throws {
        var scenario = Scenario()
        // Four calls are on the wire, the rest is queued.
        for number in 0..<8 {
            let many = try scenario.open()
            scenario.send(.mcount((0..<1_000).map { item(1_000 * (number + 1) + $0) }), on: many)
        }
        scenario.send(.count(item(7)), on: try scenario.open())
        let next = scenario.core.reads.takeForRedis(0, max: 4)
        #expect(next.first == item(7))
    }

    @Test("Memory of many fetches is given back when they are over")
    func memoryOfManyFetchesIsGivenBackWhenTheyAreOver() {
        var fetches = Fetches()
        for number in 0..<100_000 { fetches.join(item(number), part(1), isSmall: false) }
        #expect(fetches.places > 100_000)
        for number in fetches.takeForRedis(0, max: .max) {
            fetches.moveToDatabase(number, isOnlyPrimary: false) { _ in true }
        }
        for number in fetches.takeForPrimary(isOnly: false, max: .max) { _ = fetches.finish(number) { _ in true } }
        #expect(fetches.count == 0)
        #expect(fetches.places < 6 * Limits.fetchPlacesKept)
        for number in 0..<100_000 { fetches.join(item(number), part(1), isSmall: false) }
        for number in 0..<100_000 { fetches.leave(item(number)) { _ in false } }
        #expect(fetches.places < 6 * Limits.fetchPlacesKept)
    }
}
