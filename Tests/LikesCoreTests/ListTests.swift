import LikesProtocol
import Testing

@testable import LikesCore

@Suite struct ListTests {
    private let asked = LikesQuery(user: ann.user)

    @Test("LIKES and LIKERS are read from PostgreSQL, those of one turn and kind by one call")
    func listsOfOneTurnAndKindAreReadByOneCall() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        let second = LikesQuery(user: bob.user, after: post, limit: 1)
        scenario.send(.likes(asked), .likes(second), .likers(LikersQuery(item: post)), on: client)
        let sent = scenario.takeWithCalls()
        #expect(
            sent.map(\.withoutCall) == [
                .selectLists([.likes(asked), .likes(second)]), .selectLists([.likers(LikersQuery(item: post))]),
            ])
        let calls = sent.compactMap { $0.call?.id }
        scenario.lists(call: calls.first, [.items([post, other]), .items([])])
        scenario.lists(call: calls.last, [.users([ann.user, bob.user])])
        let items = [post, other].map { Reply.text(ItemTypes.standard.text(of: $0)) }
        #expect(
            scenario.replies(client) == [.array(items), .array([]), .integers([ann.user, bob.user])])
    }

    @Test("Pages of one call have so many rows together that PostgreSQL's answer stays small")
    func pagesOfOneCallHaveALimitOfRows() throws {
        let ticket = Ticket(connection: ConnectionID(slot: 0, incarnation: 0), sequence: 0)
        var lists = Reads(Safeguards())
        for user in 0..<6 {
            lists.ask(ListRead(ticket: ticket, query: .likes(LikesQuery(user: Int64(user), limit: 1_000))))
        }
        func take(_ max: Int) -> [Int64] {
            lists.takeLists(max: max, rowsMax: 4_096).map { read in
                if case .likes(let query) = read.query { query.user } else { -1 }
            }
        }
        #expect(take(2) == [0, 1])
        #expect(take(64) == [2, 3, 4, 5])
        for user in 0..<6 {
            lists.ask(ListRead(ticket: ticket, query: .likes(LikesQuery(user: Int64(user), limit: 1_000))))
        }
        #expect(take(64) == [0, 1, 2, 3])
    }

    @Test("LIKES behind a LIKE of the same user and connection is asked once that is answered")
    func likesBehindALikeIsAskedOnceThatIsAnswered() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.like(ann), .likes(asked), .likes(LikesQuery(user: bob.user)), on: client)
        #expect(scenario.take().contains(.selectLists([.likes(LikesQuery(user: bob.user))])))
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [true], [counter(post, 1, 1)])
        scenario.wroteThrough()
        #expect(scenario.take().contains(.selectLists([.likes(asked)])))
    }

    @Test("LIKED and lists behind a list that waits for a change wait for that list: they show nothing older")
    func readsBehindAListThatWaitsWaitForIt() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        let likers = LikersQuery(item: post)
        scenario.send(.like(ann), .likers(likers), .liked(bob), .likes(LikesQuery(user: bob.user)), on: client)
        #expect(scenario.take() == [.admit([AdmissionEntry(pair: ann, kind: .like)])])
        scenario.admit([.admitted(recent: false)])
        scenario.commit(changed: [true], [counter(post, 1, 1)])
        scenario.wroteThrough()
        let asked = scenario.take().filter { if case .reader = $0 { true } else { false } }
        #expect(asked == [.selectLists([.likers(likers)])])
        scenario.lists([.users([ann.user])])
        let behind = scenario.take().filter { if case .reader = $0 { true } else { false } }
        #expect(behind == [.selectPairs([bob]), .selectLists([.likes(LikesQuery(user: bob.user))])])
    }

    @Test("Pairs and lists are asked for in the order in which they came")
    func pairsAndListsAreAskedForInTheirOrder() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.likes(asked), .liked(ann), .likes(asked), on: client)
        #expect(
            scenario.take() == [.selectLists([.likes(asked)]), .selectPairs([ann]), .selectLists([.likes(asked)])])
    }

    @Test("A change does not overtake an earlier LIKERS of its item and connection")
    func aChangeDoesNotOvertakeAnEarlierList() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.likers(LikersQuery(item: post)), .like(ann), on: client)
        #expect(scenario.take() == [.selectLists([.likers(LikersQuery(item: post))])])
        scenario.lists([.users([])])
        #expect(scenario.take() == [.reply(client, .integers([])), .admit([AdmissionEntry(pair: ann, kind: .like)])])
    }

    @Test("Without its index LIKERS is refused, with the command that makes it")
    func withoutItsIndexLikersIsRefused() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.likers(LikersQuery(item: post)), on: client)
        scenario.lists([.withoutIndex])
        guard case .error(let error)? = scenario.replies(client).first else {
            Issue.record("no error")
            return
        }
        #expect(error.code == .err && error.message.contains("likesctl migrate --likers-index"))
    }

    @Test("A list is asked again when the reader is lost, and UNAVAILABLE at its deadline")
    func aListIsAskedAgainWhenTheReaderIsLost() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.likes(asked), on: client)
        _ = scenario.take()
        scenario.lose(.reader)
        #expect(scenario.replies(client).isEmpty)
        scenario.pass(ms: 5_000)
        guard case .error(let error)? = scenario.replies(client).first else {
            Issue.record("no error")
            return
        }
        #expect(error.code == .unavailable)
        #expect(scenario.core.reads.primaryCount == 0)
    }

    @Test("Lists that nobody waits for any more do not pile up while PostgreSQL is away")
    func listsOfClientsThatLeftDoNotPileUp() throws {
        var scenario = Scenario(up: [.redis])
        for _ in 0..<200 {
            let client = try scenario.open()
            for _ in 0..<10 { scenario.send(.likes(LikesQuery(user: 1, limit: 1)), on: client) }
            scenario.step { core, turn in core.closed(client, &turn) }
        }
        scenario.pass(ms: 1)
        #expect(scenario.core.reads.primaryCount == 0)
    }

    @Test("A page of another number than was asked for ends the connection")
    func anAnswerOfAnotherNumberIsAMisfit() throws {
        var scenario = Scenario()
        let client = try scenario.open()
        scenario.send(.likes(asked), on: client)
        scenario.lists([])
        guard case .error(let error)? = scenario.replies(client).first else {
            Issue.record("no error")
            return
        }
        #expect(error.code == .unavailable)
    }
}
