import LikesJSON
import LikesProtocol
import Testing

@testable import LikesHTTP

private let start = Moment(monotonicUs: 1_000_000, wallUs: 0)
private let later = Moment(monotonicUs: 1_002_500, wallUs: 1_500_000)
private let post = ItemName(type: "post", id: 2)

private func exchange(_ question: Question, problem: Bool = false) -> Exchange {
    Exchange(question, problem: problem, metrics: "own 1\n", now: start)
}

/// The response to a question whose one request to likesd gets this reply.
private func response(_ question: Question, _ reply: ReceivedReply, problem: Bool = false) throws -> HTTPResponse {
    var exchange = exchange(question, problem: problem)
    let call = try #require(exchange.next()?.call)
    exchange.replied(call, reply, now: later)
    return try #require(exchange.response)
}

private func integers(_ numbers: Int64...) -> ReceivedReply { .array(numbers.map { .integer($0) }) }
private func error(_ text: String) -> ReceivedReply { .error(Array(text.utf8)) }
private func map(_ words: String...) -> ReceivedReply { .array(words.map { .bulk(Array($0.utf8)) }) }

@Suite struct ReplyTests {
    @Test(arguments: [
        (Question.like(user: 1, post), Int64(1), #"{"status":"liked","count":7,"user_liked":true}"#),
        (.like(user: 1, post), 0, #"{"status":"already_liked","count":7,"user_liked":true}"#),
        (.unlike(user: 1, post), 1, #"{"status":"unliked","count":7,"user_liked":false}"#),
        (.unlike(user: 1, post), 0, #"{"status":"not_liked","count":7,"user_liked":false}"#),
    ])
    func aChangeSaysWhatChanged(_ row: (question: Question, changed: Int64, text: String)) throws {
        #expect(try response(row.question, integers(row.changed, 7)).text == row.text)
    }

    @Test func aCountSaysWhetherItWasCachedAndOfWhen() throws {
        #expect(
            try response(.count(post), integers(7, 1)).text
                == #"{"item_id":2,"item_type":"post","count":7,"cached":true,"as_of":"1970-01-01T00:00:01.500000Z"}"#)
    }

    @Test func countsSayHowManyWereCached() throws {
        let question = Question.counts([post, ItemName(type: "reel", id: 3)])
        #expect(
            try response(question, integers(7, 1, 0, 0)).text
                == #"{"counts":{"post:2":7,"reel:3":0},"took_ms":2.5,"cache_hits":1,"cache_misses":1}"#)
    }

    @Test func likedItemsAreNamedByTheirIds() throws {
        #expect(
            try response(.hasLiked(user: 1, type: "reel", [5, 6]), integers(1, 0)).text
                == #"{"liked":{"5":true,"6":false}}"#)
    }

    @Test func noItemsNeedNoRequest() throws {
        #expect(try #require(exchange(.counts([])).response).text.contains(#""counts":{}"#))
        #expect(try #require(exchange(.hasLiked(user: 1, type: "post", [])).response).text == #"{"liked":{}}"#)
    }

    @Test func healthIsToldAsBefore() throws {
        let ok = map("status", "ok", "database", "healthy", "redis", "healthy")
        #expect(try response(.health, ok).text == #"{"status":"ok","database":"healthy","redis":"healthy"}"#)
        let down = map("status", "down", "database", "unhealthy", "redis", "healthy", "message", "next: x")
        let answer = try response(.health, down)
        #expect(answer.status == 200)
        #expect(answer.text == #"{"status":"degraded","database":"unhealthy","redis":"healthy"}"#)
    }

    @Test func readyIsAStatus() throws {
        #expect(try response(.ready, map("status", "degraded", "database", "healthy", "redis", "no")).status == 200)
        #expect(try response(.ready, map("status", "down", "database", "no", "redis", "healthy")).status == 503)
    }

    @Test func metricsAreLikesdsAndItsOwn() throws {
        #expect(try response(.metrics, .bulk(Array("likesd 1\n".utf8))).text == "likesd 1\nown 1\n")
    }

    @Test(arguments: [ReceivedReply.integer(1), .null, .array([]), .bulk([]), integers(1, 2, 3)])
    func anAnswerThatIsNotUnderstoodIsTold(_ reply: ReceivedReply) throws {
        for question in [Question.like(user: 1, post), .count(post), .counts([post]), .health] {
            #expect(try response(question, reply).status == 502)
        }
    }
}

@Suite struct RefusalTests {
    @Test func aRateLimitSaysWhenToRepeat() throws {
        let answer = try response(
            .like(user: 1, post), error("RATELIMITED over 100 likes and unlikes in 60 s: try again in 57 s"))
        #expect(answer.status == 429)
        #expect(answer.header("Retry-After") == "57")
        #expect(answer.text == #"{"detail":{"error":"rate_limited","retry_after":57}}"#)
    }

    @Test(arguments: [("BUSY", "busy"), ("UNAVAILABLE", "unavailable"), ("UNCERTAIN", "uncertain")])
    func likesdsCodesAre503WithTheirWord(_ row: (code: String, word: String)) throws {
        let answer = try response(.like(user: 1, post), error("\(row.code) why; next: sudo rm"))
        #expect(answer.status == 503)
        #expect(answer.header("Retry-After") == "1")
        // What an operator is told to run is not a client's business.
        #expect(answer.text == #"{"detail":{"error":"\#(row.word)","message":"why"}}"#)
    }

    @Test func anotherCodeIsNotUnderstood() throws {
        #expect(try response(.like(user: 1, post), error("WHATEVER x")).status == 502)
    }

    @Test func aRefusalOfLikesdIsTheRequests() throws {
        #expect(try response(.like(user: 1, post), error("ERR unknown item type 'post'")).status == 422)
    }

    @Test func refusalsComeAsProblemsToo() throws {
        let answer = try response(.like(user: 1, post), error("BUSY why"), problem: true)
        #expect(
            answer.text == #"{"type":"urn:likesd:error:busy","title":"Service Unavailable","status":503,"#
                + #""detail":"why","error":"busy","retry_after":1}"#)
    }
}

@Suite struct SplittingTests {
    private let ids = (0..<2_500).map { Int64($0) }

    @Test func moreItemsThanLikesdTakesAreSplit() {
        var exchange = exchange(.counts(ids.map { ItemName(type: "post", id: $0) }))
        var words: [[String]] = []
        while let call = exchange.next() { words.append(call.words) }
        #expect(words.map(\.count) == [1_002, 1_002, 502])
        #expect(words[2][1] == "post:2000")
        #expect(words.allSatisfy { $0.first == "MCOUNT" && $0.last == "WITHCACHED" })
    }

    @Test func onlyAFewAreUnderWayAtOnce() throws {
        let many = (0..<10_000).map { Int64($0) }
        var exchange = exchange(.hasLiked(user: 1, type: "post", many))
        for _ in 0..<Exchange.underWayMax { #expect(exchange.next() != nil) }
        #expect(exchange.next() == nil)
        exchange.replied(0, .array((0..<1_000).map { _ in .integer(1) }), now: later)
        #expect(exchange.next()?.call == Exchange.underWayMax)
    }

    @Test func partsMayBeAnsweredInAnyOrder() throws {
        var exchange = exchange(.hasLiked(user: 1, type: "post", ids))
        for _ in 0..<3 { _ = exchange.next() }
        exchange.replied(2, .array((0..<500).map { _ in .integer(1) }), now: later)
        exchange.replied(0, .array((0..<1_000).map { _ in .integer(0) }), now: later)
        #expect(exchange.response == nil)
        exchange.replied(1, .array((0..<1_000).map { _ in .integer(0) }), now: later)
        let text = try #require(exchange.response).text
        #expect(text.contains(#""1999":false,"2000":true"#))
    }

    @Test func ifOnePartFailsThereIsNoAnswerInPart() throws {
        var exchange = exchange(.hasLiked(user: 1, type: "post", ids))
        for _ in 0..<3 { _ = exchange.next() }
        exchange.replied(0, .array((0..<1_000).map { _ in .integer(0) }), now: later)
        exchange.replied(1, error("UNAVAILABLE why"), now: later)
        #expect(try #require(exchange.response).status == 503)
        exchange.replied(2, .array((0..<500).map { _ in .integer(1) }), now: later)
        #expect(try #require(exchange.response).status == 503)
    }
}

@Suite struct LossTests {
    private let like = Question.like(user: 1, post)

    private func word(_ exchange: Exchange) throws -> String {
        let response = try #require(exchange.response)
        #expect(response.status == 503)
        guard case .string(let word)? = try JSONReader.read(response.body).member("detail")?.member("error") else {
            throw NoResponse()
        }
        return word
    }

    @Test func aChangeThatWasSentIsNotRepeatedAndIsUncertain() throws {
        var exchange = exchange(like)
        _ = exchange.next()
        exchange.lost(0, .lost("closed"), canTryAgain: true)
        #expect(exchange.next() == nil)
        #expect(try word(exchange) == "uncertain")
    }

    @Test func aChangeThatWasNeverSentIsSentOnceMore() throws {
        var exchange = exchange(like)
        _ = exchange.next()
        exchange.lost(0, .neverSent("closed"), canTryAgain: true)
        #expect(exchange.next() != nil)
        exchange.lost(0, .neverSent("closed"), canTryAgain: true)
        #expect(try word(exchange) == "unavailable")
    }

    @Test func aReadIsRepeatedOnce() throws {
        var exchange = exchange(.count(post))
        _ = exchange.next()
        exchange.lost(0, .lost("closed"), canTryAgain: true)
        #expect(exchange.next() != nil)
        exchange.lost(0, .lost("closed"), canTryAgain: true)
        #expect(try word(exchange) == "unavailable")
    }

    @Test func nothingIsRepeatedOnceItIsTooLate() throws {
        var exchange = exchange(.count(post))
        _ = exchange.next()
        exchange.lost(0, .lost("closed"), canTryAgain: false)
        #expect(try word(exchange) == "unavailable")
    }

    @Test func aChangeWithoutAnAnswerInTimeIsUncertain() throws {
        var exchange = exchange(like)
        _ = exchange.next()
        exchange.timedOut()
        #expect(try word(exchange) == "uncertain")
    }

    @Test func aChangeThatFoundNoRoomInTimeIsNot() throws {
        var exchange = exchange(like)
        let call = try #require(exchange.next()?.call)
        exchange.putBack(call)
        exchange.timedOut()
        #expect(try word(exchange) == "unavailable")
    }

    @Test func whatFoundNoRoomIsTheNext() throws {
        var exchange = exchange(like)
        let call = try #require(exchange.next()?.call)
        #expect(exchange.next() == nil)
        exchange.putBack(call)
        #expect(exchange.next()?.call == call)
    }

    @Test func withoutLikesdHealthIsDegradedAndMetricsAreItsOwn() throws {
        var health = exchange(.health)
        _ = health.next()
        health.unreachable("refused")
        #expect(
            try #require(health.response).text == #"{"status":"degraded","database":"unhealthy","redis":"unhealthy"}"#)
        var metrics = exchange(.metrics)
        _ = metrics.next()
        metrics.timedOut()
        #expect(try #require(metrics.response).text == "own 1\n")
        #expect(metrics.response?.status == 200)
    }
}
