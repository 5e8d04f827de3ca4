import LikesProtocol
import Testing

@testable import LikesStorage

@Suite struct ClusterTests {
    // What a Redis 7.0.15 says with CLUSTER KEYSLOT.
    @Test(
        "A key's slot is that of the server",
        arguments: [
            ("", 0), ("foo", 12_182), ("123456789", 12_739), ("{user1000}.following", 3_443), ("foo{}{bar}", 8_363),
            ("foo{{bar}}zap", 4_015), ("foo{bar}{zap}", 5_061), ("{", 4_092), ("a}b{", 6_027),
        ])
    func aKeysSlotIsThatOfTheServer(key: String, slot: Int) {
        #expect(RedisSlot.of(key: Array(key.utf8)) == slot)
    }

    @Test("The slots of likesd's keys are those of the keys as they are written")
    func theSlotsOfKeysAreThoseOfTheKeysAsWritten() throws {
        let types = try ItemTypes(["post", "a-very-long-name-of-a-type"])
        let slots = KeySlots(types)
        for id: Int64 in [.min, -10, -1, 0, 1, 9, 10, 456, 1_000_000, .max] {
            for (type, name) in types.names.enumerated() {
                let item = Item(type: UInt8(type), id: id)
                #expect(slots.of(item) == RedisSlot.of(key: Array("counter:\(name):\(id)".utf8)))
                #expect(slots.of(item) == RedisSlot.of(key: Array("{counter:\(name):\(id)}:version".utf8)))
            }
            #expect(slots.ofRate(user: id) == RedisSlot.of(key: Array("rate:\(id):likes".utf8)))
            #expect(slots.ofRecentLikes(user: id) == RedisSlot.of(key: Array("recent_likes:\(id)".utf8)))
        }
    }

    @Test("Each slot has a tag that belongs to it", arguments: [0, 1, 8_191, 16_383])
    func eachSlotHasATag(slot: Int) {
        #expect(RedisSlot.of(key: Array("likesd:generation:{\(RedisSlot.tag(of: slot))}".utf8)) == slot)
    }

    private static let ids = ["a", "b", "c", "d"].map { String(repeating: $0, count: 40) }

    private static let text = """
        \(ids[2]) 10.0.0.3:7103@17103 master - 0 1796001664172 3 connected 10923-16383
        \(ids[1]) 10.0.0.2:7102@17102,two.example master,fail - 0 1796001663471 2 disconnected 5461-5470 5472 5474-10922
        \(ids[0]) :7101@17101 myself,master - 0 1796001663000 1 connected 0-5460 5471 5473 [1584->-\(ids[1])]
        \(ids[3]) 10.0.0.4:7104@17104 slave \(ids[0]) 0 1796001663000 1 connected

        """

    @Test("What a node says of all nodes is understood")
    func whatANodeSaysIsUnderstood() throws {
        let view = try ClusterView(Self.text, askedHost: "10.0.0.1")
        #expect(
            view
                == ClusterView(
                    primaries: [
                        ClusterView.Node(
                            id: Self.ids[2], host: "10.0.0.3", port: 7_103, epoch: 3, slots: [10_923...16_383]),
                        ClusterView.Node(
                            id: Self.ids[1], host: "10.0.0.2", port: 7_102, hostname: "two.example", epoch: 2,
                            slots: [5_461...5_470, 5_472...5_472, 5_474...10_922]),
                        ClusterView.Node(
                            id: Self.ids[0], host: "10.0.0.1", port: 7_101, epoch: 1,
                            slots: [0...5_460, 5_471...5_471, 5_473...5_473]),
                    ], ids: Set(Self.ids)))
    }

    @Test(
        "What no node says is a misfit",
        arguments: [
            "nonsense", "\(ids[0]) 10.0.0.1:7101@17101 master - 0 0 x connected 0-1",
            "\(ids[0]) 10.0.0.1:7101@17101 master - 0 0 1 connected 0-16384",
            "\(ids[0]) 10.0.0.1:7101@17101 master - 0 0 1 connected 5-4",
            "\(ids[0]) 10.0.0.1:7101@17101 master - 0 0 1 connected 1-2-3",
            "\(ids[0]) 10.0.0.1:7101@17101 master - 0 0 1 connected --",
            "\(ids[0]) 10.0.0.1:0@17101 master - 0 0 1 connected 0",
            "\(ids[0]) 10.0.0.1:7101@17101 master - 0 0 1 connected 0-1 1",
            "\(ids[0]) a:1@2 master - 0 0 1 connected 0\n\(ids[1]) b:1@2 master - 0 0 1 connected 0",
            "\(ids[0]) a:1@2 master - 0 0 1 connected 0\n\(ids[0]) a:1@2 master - 0 0 1 connected 1",
            // What would break a terminal, INFO's lines or METRICS' labels.
            "\(ids[0]) a\u{1b}[2J:1@2 master - 0 0 1 connected 0", "\(ids[0]) a\"b:1@2 master - 0 0 1 connected 0",
            "\(ids[0]) a:1@2,h\"o master - 0 0 1 connected 0",
            "\(String(repeating: "a", count: 300)):1@2 master - 0 0 1 connected 0",
            "\(ids[0].dropLast())\" a:1@2 master - 0 0 1 connected 0",
        ])
    func whatNoNodeSaysIsAMisfit(text: String) {
        #expect(throws: Misfit.self) { try ClusterView(text, askedHost: "10.0.0.1") }
    }

    private func view(_ owners: [(id: Int, epoch: Int64, slots: ClosedRange<Int>)], ids: [Int]? = nil) -> ClusterView {
        ClusterView(
            primaries: owners.map {
                ClusterView.Node(
                    id: Self.ids[$0.id], host: "10.0.0.\($0.id)", port: 6_379, epoch: $0.epoch, slots: [$0.slots])
            }, ids: Set((ids ?? [0, 1, 2, 3]).map { Self.ids[$0] }))
    }

    @Test("Of two owners of a slot the one with the higher epoch is right, whoever is heard last")
    func ofTwoOwnersTheOneWithTheHigherEpochIsRight() {
        var map = SlotMap()
        #expect(!map.isWhole)
        #expect(map.take(view([(0, 1, 0...8_000), (1, 2, 8_001...16_383)])).winners == [0, 1])
        #expect(map.isWhole)
        // Node 2 took over what node 0 had.
        let replaced = map.take(view([(2, 5, 0...8_000), (1, 2, 8_001...16_383)]))
        #expect(replaced == .init(losers: [0], winners: [2], slotsCount: 8_001))
        #expect(map.take(view([(0, 1, 0...8_000), (1, 2, 8_001...16_383)])).isEmpty)
        #expect(map.owner(of: 0) == 2 && map.owner(of: 8_001) == 1)
        // One slot moved to node 1, whose epoch went up with it.
        let moved = map.take(view([(2, 5, 0...7_999), (1, 6, 8_000...16_383)]))
        #expect(moved == .init(losers: [2], winners: [1], slotsCount: 1))
        #expect(map.take(view([(2, 5, 0...8_000), (1, 2, 8_001...16_383)])).isEmpty)
        #expect(map.slots(of: 2).count == 8_000)
    }

    @Test("An owner that the cluster has forgotten is right no more, whatever its epoch")
    func anOwnerThatTheClusterHasForgottenIsRightNoMore() {
        var map = SlotMap()
        _ = map.take(view([(0, 9, 0...16_383)], ids: [0]))
        #expect(map.take(view([(1, 1, 0...16_383)], ids: [1])).winners == [1])
    }

    @Test("A node that was away while another joined takes no slots back from it, however often it is asked")
    func aNodeThatWasAwayTakesNoSlotsBack() {
        var map = SlotMap()
        let former: [(Int, Int64, ClosedRange<Int>)] = [(0, 1, 0...8_000), (1, 2, 8_001...16_383)]
        let present: [(Int, Int64, ClosedRange<Int>)] = [
            (0, 1, 0...4_000), (2, 3, 4_001...8_000), (1, 2, 8_001...16_383),
        ]
        _ = map.take(view(former, ids: [0, 1]))
        #expect(map.take(view(present, ids: [0, 1, 2])).winners == [2])
        for _ in 0..<10 {
            #expect(map.take(view(former, ids: [0, 1])).isEmpty)
            #expect(map.take(view(present, ids: [0, 1, 2])).isEmpty)
        }
    }

    @Test("An owner that none of the others names any more has lost its slots to whoever they name")
    func anOwnerThatNobodyNamesHasLostItsSlots() {
        var map = SlotMap()
        _ = map.take(view([(0, 9, 0...8_000), (1, 2, 8_001...16_383)], ids: [0, 1]))
        let after = [(1, 2, 0...16_383)] as [(Int, Int64, ClosedRange<Int>)]
        #expect(map.take(view(after, ids: [1])).isEmpty)
        #expect(map.take(view(after, ids: [1])).winners == [1])
    }

    @Test("The marker's slot stays where it is unless that very slot moves")
    func theMarkersSlotStaysUnlessThatSlotMoves() throws {
        var map = SlotMap()
        _ = map.take(view([(0, 1, 0...8_191), (1, 2, 8_192...16_383)]))
        let first = try #require(map.markerSlot(of: 0))
        let second = try #require(map.markerSlot(of: 1))
        var changes = 0
        // Half of node 0's slots go to node 1, some at a time.
        var kept = second
        var epoch: Int64 = 3
        for slots in stride(from: 0, to: 4_096, by: 64).map({ $0...$0 + 63 }) where !slots.contains(first) {
            _ = map.take(view([(1, epoch, slots)]))
            epoch += 1
            let now = try #require(map.markerSlot(of: 1))
            if now != kept { changes += 1 }
            kept = now
            #expect(map.markerSlot(of: 0) == first)
        }
        #expect(changes < 5)
        _ = map.take(view([(1, epoch, first...first)]))
        let next = try #require(map.markerSlot(of: 0))
        #expect(next != first && map.owner(of: next) == 0)
    }

    @Test("A node that gets a slot back is told from one that gets it for the first time, until its data is new")
    func aNodeThatGetsASlotBackIsToldApart() {
        var map = SlotMap()
        _ = map.take(view([(0, 1, 0...8_191), (1, 2, 8_192...16_383)]))
        #expect(map.take(view([(1, 3, 5...6)])).regainers.isEmpty)
        #expect(map.take(view([(0, 4, 5...5)])).regainers == [0])
        map.forgetFormer(0)
        #expect(map.take(view([(0, 5, 6...6)])).regainers.isEmpty)
    }

    @Test("Those that have slots which a node had are its successors")
    func thoseThatHaveSlotsOfANodeAreItsSuccessors() {
        var map = SlotMap()
        _ = map.take(view([(0, 1, 0...8_191), (1, 2, 8_192...16_383)]))
        #expect(map.successors(of: 0) == [0] && map.successors(of: 1) == [1])
        _ = map.take(view([(2, 3, 0...8_191)]))
        #expect(map.successors(of: 0) == [2] && map.successors(of: 2) == [2])
        _ = map.take(view([(1, 4, 5...5)]))
        #expect(map.successors(of: 0) == [1, 2] && map.successors(of: 2) == [1, 2])
    }

    @Test("A node that still has slots is another one, whichever slots it has handed over; a replaced one is not")
    func aNodeThatStillHasSlotsIsAnotherOne() {
        var map = SlotMap()
        _ = map.take(view([(0, 1, 0...8_191), (1, 2, 8_192...16_383)]))
        #expect(map.isOther(Self.ids[0].prefix(8), than: 1))
        _ = map.take(view([(1, 3, 5...6)]))
        #expect(map.isOther(Self.ids[0].prefix(8), than: 1))
        _ = map.take(view([(1, 4, 0...8_191)]))
        #expect(!map.isOther(Self.ids[0].prefix(8), than: 1))
    }

    @Test("A node is found by its address, and by the name that it announces")
    func aNodeIsFoundByItsAddressAndByItsName() throws {
        var map = SlotMap()
        _ = map.take(try ClusterView(Self.text, askedHost: "10.0.0.1"))
        #expect(map.place(host: "10.0.0.2", port: 7_102) == map.place(host: "two.example", port: 7_102))
        #expect(map.place(host: "two.example", port: 7_102) != nil && map.place(host: "two.example", port: 1) == nil)
    }

    @Test("What names ever new nodes costs no memory without end, and owners stay known")
    func whatNamesEverNewNodesCostsNoMemoryWithoutEnd() {
        var map = SlotMap()
        _ = map.take(view([(0, 1, 0...16_383)]))
        for number in 0..<20_000 {
            let id = String(repeating: "0", count: 32) + String(10_000_000 + number)
            let other = ClusterView.Node(id: id, host: "h", port: 1, epoch: Int64(number) + 2, slots: [5...5])
            _ = map.take(ClusterView(primaries: [other], ids: [id, Self.ids[0]]))
        }
        #expect(map.nodes.count == SlotMap.nodesMax)
        #expect(map.owner(of: 6) == 0 && map.owner(of: 5) != nil)
    }

    @Test("A primary without slots is of use as long as it is named, for it may be about to get some")
    func aPrimaryWithoutSlotsIsOfUseAsLongAsItIsNamed() {
        var map = SlotMap()
        var view = view([(0, 1, 0...16_383), (1, 0, 0...0)])
        view.primaries[1].slots = []
        _ = map.take(view)
        #expect(!map.hasSlots(1) && map.isOfUse(1) && map.markerSlot(of: 1) == nil)
        #expect(map.slotsCount == RedisSlot.count)
        #expect(map.place(host: view.primaries[1].host, port: view.primaries[1].port) == 1)
        view.primaries.removeLast()
        _ = map.take(view)
        #expect(!map.isOfUse(1))
    }

    @Test("What several snapshots have in common had ended by each of them")
    func whatSeveralSnapshotsHaveInCommon() {
        let one = DatabaseSnapshot(least: 10, next: 20, running: [10, 15])
        let other = DatabaseSnapshot(least: 12, next: 18, running: [12, 17])
        let common = DatabaseSnapshot.common([one, other])
        for transaction in Int64(0)..<25 where common.hasEnded(transaction) {
            #expect(one.hasEnded(transaction) && other.hasEnded(transaction))
        }
        #expect(common.hasEnded(9) && common.hasEnded(13) && !common.hasEnded(15))
        #expect(DatabaseSnapshot.common([one]) == one && DatabaseSnapshot.common([]) == .unknown)
    }
}
