import LikesJSON
import LikesProtocol
import Testing

@testable import LikesHTTP

@Suite struct ListRequestTests {
    @Test(arguments: [
        ("/v1/users/7/likes", Question.likes(user: 7, after: nil, limit: 100)),
        ("/v1/users/7/likes?limit=1", .likes(user: 7, after: nil, limit: 1)),
        (
            "/v1/users/0/likes?limit=1000&after=reel:5",
            .likes(user: 0, after: ItemName(type: "reel", id: 5), limit: 1_000)
        ),
        ("/v1/users/%37/likes?after=post%3A0&x=y", .likes(user: 7, after: ItemName(type: "post", id: 0), limit: 100)),
        ("/v1/users/9223372036854775807/likes", .likes(user: .max, after: nil, limit: 100)),
        ("/v1/items/reel/5/likers", .likers(ItemName(type: "reel", id: 5), after: nil, limit: 100)),
        ("/v1/items/post/5/likers?after=0&limit=20", .likers(ItemName(type: "post", id: 5), after: 0, limit: 20)),
        ("/v1/items/post/5.0/likers?limit=+20", .likers(ItemName(type: "post", id: 5), after: nil, limit: 20)),
    ])
    func aListIsAskedForByItsPath(_ row: (target: String, question: Question)) {
        #expect(question("GET", row.target) == row.question)
        #expect(question("HEAD", row.target) == row.question)
    }

    @Test(arguments: [
        ("/v1/users/x/likes", ["int_parsing path user_id"]),
        ("/v1/users/-1/likes", ["greater_than_equal path user_id"]),
        ("/v1/users/9223372036854775808/likes", ["less_than_equal path user_id"]),
        ("/v1/users/{user_id}/likes", ["int_parsing path user_id"]),
        ("/v1/users/1/likes?limit=0", ["greater_than_equal query limit"]),
        ("/v1/users/1/likes?limit=-5", ["greater_than_equal query limit"]),
        ("/v1/users/1/likes?limit=1001", ["less_than_equal query limit"]),
        ("/v1/users/1/likes?limit=99999999999999999999", ["less_than_equal query limit"]),
        ("/v1/users/1/likes?limit=", ["int_parsing query limit"]),
        ("/v1/users/1/likes?limit=ten", ["int_parsing query limit"]),
        ("/v1/users/1/likes?after=456", ["value_error query after"]),
        ("/v1/users/1/likes?after=", ["value_error query after"]),
        ("/v1/users/1/likes?after=story:1", ["literal_error query after"]),
        ("/v1/users/1/likes?after=post:x", ["int_parsing query after"]),
        ("/v1/users/1/likes?after=post:-1", ["greater_than_equal query after"]),
        ("/v1/users/1/likes?after=:", ["literal_error query after", "int_parsing query after"]),
        (
            "/v1/users/x/likes?after=1&limit=0",
            ["int_parsing path user_id", "value_error query after", "greater_than_equal query limit"]
        ),
        ("/v1/items/story/1/likers", ["literal_error path item_type"]),
        ("/v1/items/post/x/likers", ["int_parsing path item_id"]),
        (
            "/v1/items/x/y/likers?after=post:1&limit=0",
            [
                "literal_error path item_type", "int_parsing path item_id", "int_parsing query after",
                "greater_than_equal query limit",
            ]
        ),
    ])
    func whatIsWrongIsToldByItsPlace(_ row: (target: String, issues: [String])) throws {
        #expect(try response("GET", row.target).issues() == row.issues)
    }

    @Test func aLimitOutOfItsRangeNamesTheBound() throws {
        let small = try response("GET", "/v1/users/1/likes?limit=0").text
        #expect(small.contains(#""msg":"Input should be greater than or equal to 1","input":"0","ctx":{"ge":1}"#))
        let great = try response("GET", "/v1/users/1/likes?limit=1001").text
        #expect(great.contains(#""msg":"Input should be less than or equal to 1000","input":"1001","ctx":{"le":1000}"#))
    }
}

@Suite struct PageOfListTests {
    private let now = Moment(monotonicUs: 0, wallUs: 0)
    private let post = ItemName(type: "post", id: 2)

    private func answer(_ question: Question, _ reply: ReceivedReply) throws -> (words: [String], HTTPResponse) {
        var exchange = Exchange(question, problem: false, metrics: "", now: now)
        let asked = exchange.next()
        let call = try #require(asked)
        #expect(exchange.next() == nil)
        exchange.replied(call.call, reply, now: now)
        return (call.words, try #require(exchange.response))
    }

    private func items(_ names: String...) -> ReceivedReply { .array(names.map { .bulk(Array($0.utf8)) }) }
    private func users(_ numbers: Int64...) -> ReceivedReply { .array(numbers.map { .integer($0) }) }

    @Test func aFullPageSaysWhereTheNextBegins() throws {
        let (words, response) = try answer(.likes(user: 7, after: nil, limit: 2), items("post:5", "reel:5"))
        #expect(words == ["LIKES", "7", "LIMIT", "2"])
        #expect(
            response.text == #"{"user_id":7,"items":[{"item_id":5,"item_type":"post"},"#
                + #"{"item_id":5,"item_type":"reel"}],"next":"reel:5"}"#)
        let (others, likers) = try answer(.likers(post, after: 4, limit: 2), users(5, 9_223_372_036_854_775_807))
        #expect(others == ["LIKERS", "post:2", "AFTER", "4", "LIMIT", "2"])
        #expect(
            likers.text == #"{"item_id":2,"item_type":"post","user_ids":[5,9223372036854775807],"#
                + #""next":"9223372036854775807"}"#)
    }

    @Test func theLastPageSaysSo() throws {
        let (words, response) = try answer(.likes(user: 7, after: post, limit: 2), items("post:5"))
        #expect(words == ["LIKES", "7", "AFTER", "post:2", "LIMIT", "2"])
        #expect(response.text == #"{"user_id":7,"items":[{"item_id":5,"item_type":"post"}],"next":null}"#)
        #expect(
            try answer(.likes(user: 7, after: nil, limit: 2), items()).1.text
                == #"{"user_id":7,"items":[],"next":null}"#)
        #expect(
            try answer(.likers(post, after: nil, limit: 2), users()).1.text
                == #"{"item_id":2,"item_type":"post","user_ids":[],"next":null}"#)
    }

    @Test func whatNextSaysIsTakenByAfter() throws {
        let page = try JSONReader.read(
            try answer(.likes(user: 7, after: nil, limit: 1), items("comment:9223372036854775807")).1.body)
        guard case .string(let next)? = page.member("next") else { throw NoResponse() }
        #expect(
            question("GET", "/v1/users/7/likes?after=\(next)")
                == .likes(user: 7, after: ItemName(type: "comment", id: .max), limit: 100))
    }

    @Test(arguments: [
        ReceivedReply.integer(1), .null, .bulk([]), .array([.integer(1)]), .array([.null]),
        .array([.bulk(Array("post".utf8))]), .array([.bulk(Array("post:-1".utf8))]), .array([.array([])]),
    ])
    func whatIsNoListOfItemsIsNotUnderstood(_ reply: ReceivedReply) throws {
        #expect(try answer(.likes(user: 7, after: nil, limit: 2), reply).1.status == 502)
    }

    @Test(arguments: [ReceivedReply.integer(1), .null, .array([.bulk(Array("1".utf8))]), .array([.null])])
    func whatIsNoListOfUsersIsNotUnderstood(_ reply: ReceivedReply) throws {
        #expect(try answer(.likers(post, after: nil, limit: 2), reply).1.status == 502)
    }

    @Test func withoutItsIndexAListIs501AndNamesTheCommand() throws {
        let error = ReceivedReply.error(Array("ERR \(LikersQuery.withoutIndex)".utf8))
        let (_, response) = try answer(.likers(post, after: nil, limit: 2), error)
        #expect(response.status == 501)
        #expect(response.text.contains(#""error":"unsupported""#))
        #expect(response.text.contains("likesctl migrate --likers-index"))
        // It would not help to repeat it soon, and a cache must not keep it.
        #expect(response.header("Retry-After") == nil)
        #expect(response.header("Cache-Control") == "no-store")
        // Another refusal is the request's.
        let other = ReceivedReply.error(Array("ERR unknown item type 'post': allowed are reel".utf8))
        #expect(try answer(.likers(post, after: nil, limit: 2), other).1.status == 422)
    }

    @Test func aListIsReadAgainOnceWhereItsConnectionIsLost() throws {
        var exchange = Exchange(.likes(user: 7, after: nil, limit: 2), problem: false, metrics: "", now: now)
        _ = exchange.next()
        exchange.lost(0, .lost("closed"), canTryAgain: true)
        #expect(exchange.next() != nil)
        exchange.lost(0, .lost("closed"), canTryAgain: true)
        #expect(try #require(exchange.response).status == 503)
    }
}
