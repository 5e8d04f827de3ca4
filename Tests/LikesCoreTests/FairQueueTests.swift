import LikesRandom
import Testing

@testable import LikesCore

@Suite struct FairQueueTests {
    private struct Client {
        var id: ConnectionID
        var cost: Int
        var account: FairQueue.Account
        var served = 0

        init(_ number: Int, cost: Int, _ queue: inout FairQueue, _ sharer: Sharer? = .user(1), isNew: Bool = false) {
            id = ConnectionID(slot: UInt32(number), incarnation: 0)
            self.cost = cost
            account = queue.opened(by: sharer, isNew: isNew, now: FairQueueTests.start)
        }
    }

    private static let start = Instant.ms(1_000)

    /// All want to be served all the time. Serves `services` times; `now` advances by the cost.
    private func serve(_ clients: inout [Client], _ queue: inout FairQueue, services: Int) -> [Int] {
        var now = Self.start
        var order: [Int] = []
        for place in clients.indices { queue.add(clients[place].id, &clients[place].account) }
        for _ in 0..<services {
            guard let id = queue.next() else { return order }
            let place = Int(id.slot)
            order.append(place)
            clients[place].served += 1
            queue.chargeTurn(clients[place].cost, to: &clients[place].account, now: now)
            now.microseconds += Int64(clients[place].cost) / 20
            queue.add(id, &clients[place].account, isBehindOwn: true)
        }
        return order
    }

    @Test("Connections of the same cost take turns, in the order in which they came")
    func thoseWhoCostTheSameTakeTurnsInTheOrderInWhichTheyCame() {
        var queue = FairQueue()
        var clients = (0..<4).map { Client($0, cost: 100, &queue) }
        #expect(serve(&clients, &queue, services: 12) == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3])
    }

    @Test("Shares are equal in cost, not in number: all make progress", arguments: [true, false])
    func sharesAreAlikeByCostNotByCount(isOneSharer: Bool) {
        var queue = FairQueue()
        var clients = [10_000, 1_000, 100].enumerated().map { number, cost in
            Client(number, cost: cost, &queue, .user(isOneSharer ? 1 : UInt32(number)))
        }
        _ = serve(&clients, &queue, services: 11_100)
        let taken = clients.map { $0.served * $0.cost }
        #expect(taken.allSatisfy { abs($0 - taken[0]) <= 10_000 }, "\(taken)")
    }

    @Test("Each sharer gets the same, however many connections it has")
    func sharersHaveTheSameHoweverManyConnectionsEachHas() {
        var queue = FairQueue()
        var clients = (0..<100).map { Client($0, cost: 1_000, &queue, .user(7)) }
        clients.append(Client(100, cost: 1_000, &queue, .process(8)))
        let order = serve(&clients, &queue, services: 400)
        #expect(abs(order.filter { $0 == 100 }.count - 200) <= 2)
    }

    @Test(
        "A connection that was away has no claim to what others used meanwhile",
        arguments: [Sharer.user(1), .user(2)])
    func whoWasAwayHasNoClaimToWhatOthersUsedMeanwhile(sharer: Sharer) {
        var queue = FairQueue()
        var clients = [Client(0, cost: 1_000, &queue), Client(1, cost: 1_000, &queue, sharer)]
        queue.add(clients[0].id, &clients[0].account)
        var order: [UInt32] = []
        for service in 0..<56 {
            if service == 50 {
                queue.add(clients[1].id, &clients[1].account)
                order = []
            }
            guard let id = queue.next() else { break }
            order.append(id.slot)
            queue.chargeTurn(1_000, to: &clients[Int(id.slot)].account, now: Self.start)
            queue.add(id, &clients[Int(id.slot)].account)
        }
        #expect(order.filter { $0 == 1 }.count == 3, "\(order)")
    }

    @Test("A connection that keeps asking for little never waits for those that ask for much")
    func whoAsksForLittleNeverWaitsForThoseWhoAskForMuch() {
        var queue = FairQueue()
        var now = Self.start
        var clients = (0..<1_000).map { Client($0, cost: 20_000, &queue) }
        for place in clients.indices { queue.add(clients[place].id, &clients[place].account) }
        var small = Client(1_000, cost: 60, &queue)
        for _ in 0..<2_000 {
            guard let id = queue.next() else { return }
            let place = Int(id.slot)
            queue.chargeTurn(20_000, to: &clients[place].account, now: now)
            now.microseconds += 1_000
            #expect(queue.claim(clients[place].account, now: now) == .none)
            queue.add(id, &clients[place].account)
            #expect(queue.claim(small.account, now: now) == .established)
            queue.charge(60, to: &small.account, now: now)
        }
    }

    @Test("A connection that used up its claim waits for one step of each of the others")
    func whoWasServedByItsClaimForLongThenWaitsForOneStepOfEachOther() {
        var queue = FairQueue()
        var now = Self.start
        var clients = (0..<250).map { Client($0, cost: 4_000, &queue) }
        for place in clients.indices { queue.add(clients[place].id, &clients[place].account) }
        var light = Client(250, cost: 180, &queue)
        func serveOne() -> ConnectionID? {
            guard let id = queue.next(), id != light.id else { return light.id }
            queue.chargeTurn(4_000, to: &clients[Int(id.slot)].account, now: now)
            queue.add(id, &clients[Int(id.slot)].account, isBehindOwn: true)
            now.microseconds += 200
            return id
        }
        // 60 s.
        for service in 0..<300_000 {
            _ = serveOne()
            if service.isMultiple(of: 5) { queue.charge(light.cost, to: &light.account, byClaim: true, now: now) }
        }
        queue.add(light.id, &light.account)
        var waited = 0
        while waited < 1_000, serveOne() != light.id { waited += 1 }
        #expect(waited <= 260)
    }

    @Test("A waiting connection is served even while others of its sharer are served by their claims")
    func whoWaitsIsServedBesideTheClaimsOfOthersOfItsSharer() {
        var queue = FairQueue()
        var now = Self.start
        var waiting = [Client(0, cost: 4_000, &queue, .user(1)), Client(1, cost: 4_000, &queue, .user(2))]
        var light = (2..<102).map { Client($0, cost: 400, &queue, .user(1)) }
        for place in waiting.indices { queue.add(waiting[place].id, &waiting[place].account) }
        for _ in 0..<2_000 {
            for place in light.indices { queue.charge(400, to: &light[place].account, byClaim: true, now: now) }
            for _ in 0..<5 {
                guard let id = queue.next() else { return }
                let place = Int(id.slot)
                waiting[place].served += 1
                queue.chargeTurn(4_000, to: &waiting[place].account, now: now)
                queue.add(id, &waiting[place].account, isBehindOwn: true)
            }
            now.microseconds += 3_000
        }
        #expect(waiting[0].served >= 1_000)
        #expect(waiting[1].served >= 1_000)
    }

    @Test("A waiting connection is served while others of its sharer come and go", arguments: [2, 5, 50])
    func whoWaitsIsServedWhileOthersOfItsSharerComeAndGo(others: Int) {
        var queue = FairQueue()
        var now = Self.start
        var waiting = (0...others).map { Client($0, cost: 4_000, &queue, .user(UInt32($0))) }
        for place in waiting.indices { queue.add(waiting[place].id, &waiting[place].account) }
        for _ in 0..<2_000 {
            for _ in 0..<3 {
                let account = queue.opened(by: .user(0), cost: 150, now: now)
                queue.closed(account, cost: 150, now: now)
            }
            for _ in 0..<5 {
                guard let id = queue.next() else { return }
                let place = Int(id.slot)
                waiting[place].served += 1
                queue.chargeTurn(4_000, to: &waiting[place].account, now: now)
                queue.add(id, &waiting[place].account, isBehindOwn: true)
            }
            now.microseconds += 1_000
        }
        #expect(waiting[0].served >= 10_000 / (others + 1) / 2)
    }

    @Test("The claims of one sharer's connections take half of the processor at most, and end within a second")
    func claimsOfOneSharerComeToHalfOfTheProcessorAtMost() {
        var queue = FairQueue()
        var now = Self.start
        var clients = (0..<200).map { Client($0, cost: 1_000, &queue, .user(1)) }
        let other = Client(200, cost: 60, &queue, .user(2))
        var served = 0
        for turn in 0..<10_000 {
            let place = turn % clients.count
            if queue.claim(clients[place].account, now: now) == .established {
                served += 1
                queue.charge(1_000, to: &clients[place].account, byClaim: true, now: now)
            }
            // The time that 1,000 units take.
            now.microseconds += 50
        }
        #expect((4_000...5_500).contains(served))
        #expect(queue.claim(other.account, now: now) == .established)
        now = now.adding(ms: 1_000)
        #expect(clients.allSatisfy { queue.claim($0.account, now: now) == .established })
    }

    @Test("Few of a stream of new connections overtake a waiting one, and none overtakes one that costs little")
    func inAStreamOfNewConnectionsWhoWaitsIsPassedByFew() {
        var queue = FairQueue()
        var now = Self.start
        var little = Client(0, cost: 60, &queue)
        var much = Client(1, cost: 4_000, &queue)
        var accounts: [ConnectionID: FairQueue.Account] = [:]
        var number = 1
        func come() {
            number += 1
            let client = Client(number, cost: 4_000, &queue, isNew: true)
            accounts[client.id] = client.account
            var account = client.account
            queue.add(client.id, &account)
            accounts[client.id] = account
        }
        for _ in 0..<20 { come() }
        queue.add(much.id, &much.account)
        var waited = 0
        for _ in 0..<5_000 {
            guard let id = queue.next() else { return }
            now.microseconds += 200
            if id == much.id {
                waited = 0
                queue.chargeTurn(much.cost, to: &much.account, now: now)
                queue.add(id, &much.account, isBehindOwn: true)
            } else {
                waited += 1
                // For each one that is served a new one comes.
                come()
                guard var account = accounts.removeValue(forKey: id) else { return }
                queue.chargeTurn(4_000, to: &account, now: now)
                queue.closed(account, cost: 6_000, now: now)
            }
            guard waited < 50 else {
                Issue.record("\(waited) newcomers were served before one that waits")
                return
            }
            #expect(queue.claim(little.account, now: now) == .established)
            if number % 10 == 0 { queue.charge(little.cost, to: &little.account, now: now) }
        }
    }

    @Test("A new connection brings no new claim: the connections of one sharer use up one claim")
    func aNewConnectionIsNoFreshStart() {
        var queue = FairQueue()
        var now = Self.start
        for number in 0..<100 {
            var client = Client(number, cost: 6_000, &queue, .user(7), isNew: true)
            queue.charge(client.cost, to: &client.account, now: now)
            queue.closed(client.account, cost: 6_000, now: now)
            now.microseconds += 600
        }
        let more = queue.opened(by: .user(7), now: now)
        #expect(queue.claim(more, now: now) == .none)
        let another = queue.opened(by: .user(8), now: now)
        #expect(queue.claim(another, now: now) == .newcomer)
        // Once it has been there for a while it has a claim of its own.
        #expect(queue.claim(more, now: now.adding(ms: Limits.newcomerMs)) == .established)
        // So have the sharer's new ones, once they have cost nothing for a while.
        now = now.adding(ms: Limits.debtMicrosecondsMax / 1_000)
        let later = queue.opened(by: .user(7), now: now)
        #expect(queue.claim(later, now: now) == .newcomer)
    }

    @Test("New connections that cost little keep their claim, a thousand a second")
    func newConnectionsThatCostLittleKeepTheirClaim() {
        var queue = FairQueue()
        var now = Self.start
        for _ in 0..<2_000 {
            var account = queue.opened(by: .user(7), cost: Cost.connection, now: now)
            #expect(queue.claim(account, now: now) == .newcomer)
            queue.charge(100, to: &account, now: now)
            queue.closed(account, cost: Cost.service, now: now)
            now.microseconds += 1_000
        }
    }

    @Test("Sharers without connections are forgotten, unless they owe something")
    func sharersWithoutConnectionsAreForgottenUnlessTheyOweSomething() {
        var queue = FairQueue()
        var now = Self.start
        for number in 0..<10_000 {
            let account = queue.opened(by: .process(Int32(number)), cost: 200, now: now)
            queue.closed(account, cost: 20_000, now: now)
            now.microseconds += 1_000
        }
        #expect(queue.sharers <= 2 * Limits.sharersKept)
    }

    @Test("Whatever order the connections come in, they are served by their starts", arguments: 0..<20)
    func anyOrderOfComingGivesTheOrderOfStarts(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var queue = FairQueue()
        var starts: [UInt32: Int64] = [:]
        // The first keeps the queue from being empty, so that what was used counts.
        var first = queue.opened(by: nil, isNew: false, now: .ms(0))
        queue.add(ConnectionID(slot: 1_000, incarnation: 0), &first)
        for slot in UInt32(0)..<200 {
            var account = queue.opened(by: nil, isNew: false, now: .ms(0))
            let cost = Int(random.next() % 50)
            queue.charge(cost, to: &account, now: .ms(0))
            starts[slot] = Int64(cost)
            queue.add(ConnectionID(slot: slot, incarnation: 0), &account)
        }
        var taken: [UInt32] = []
        while let id = queue.next() { taken.append(id.slot) }
        #expect(queue.isEmpty)
        #expect(taken.first == 1_000)
        #expect(taken.dropFirst().elementsEqual(starts.keys.sorted { (starts[$0] ?? 0, $0) < (starts[$1] ?? 0, $1) }))
    }
}
