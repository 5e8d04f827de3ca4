import LikesJSON
import Testing

@testable import LikesHTTP

private let json = "application/json"

/// What a gateway that knows the usual types does with a request.
func step(
    _ method: String, _ target: String, _ body: String = "", type: String? = json, accept: String? = nil
) -> Gateway.Step {
    var gateway = Gateway(version: "1")
    gateway.types = ["post", "reel", "comment"]
    return gateway.step(for: HTTPRequest(method, target, contentType: type, accept: accept, body: Array(body.utf8)))
}

/// The question that is asked; nil: the request is answered at once.
func question(_ method: String, _ target: String, _ body: String = "", type: String? = json) -> Question? {
    guard case .ask(let question) = step(method, target, body, type: type) else { return nil }
    return question
}

/// The response that comes at once.
func response(
    _ method: String, _ target: String, _ body: String = "", type: String? = json, accept: String? = nil
) throws -> HTTPResponse {
    guard case .respond(let response) = step(method, target, body, type: type, accept: accept) else {
        throw NoResponse()
    }
    return response
}

struct NoResponse: Error {}

extension HTTPResponse {
    var text: String { String(decoding: body, as: UTF8.self) }
    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    /// Of a 422: type and place of each issue.
    func issues() throws -> [String] {
        guard status == 422, case .array(let issues)? = try JSONReader.read(body).member("detail") else {
            throw NoResponse()
        }
        return issues.map { issue in
            guard case .array(let steps)? = issue.member("loc"), case .string(let type)? = issue.member("type") else {
                return "?"
            }
            return ([type] + steps.map { $0.text.filter { $0 != "\"" } }).joined(separator: " ")
        }
    }
}

@Suite struct RoutingTests {
    @Test func everyOperationHasItsRoute() {
        for operation in Operation.all {
            if case .respond(let response) = step(operation.method, operation.path) {
                #expect(response.status == 200 || response.status == 422, "\(operation.id)")
            }
        }
    }

    @Test func namesOfOperationsAreUnique() {
        #expect(Set(Operation.all.map(\.id)).count == Operation.all.count)
    }

    @Test(arguments: [
        "/v1/nothing", "/v1", "/v1/", "//v1/like/", "/docs/other", "/V1/like", "", "*", "v1/like", "/v1/users/1",
        "/v1/users//likes", "/v1/users/1/likes/2", "/v1/users/1%2F2/likes", "/v1/users/1/LIKES", "x/v1/users/1/likes",
        "/v1/items/post/1", "/v1/items/1/likers", "/v1/items//1/likers", "/v1/items/post//likers", "/v1/like%2F",
    ])
    func anUnknownPathIsNotFound(_ path: String) throws {
        let response = try response("GET", path)
        #expect(response.status == 404)
        #expect(response.text == #"{"detail":"Not Found"}"#)
    }

    @Test(arguments: [
        ("GET", "/v1/like", "DELETE, POST"), ("OPTIONS", "/v1/like", "DELETE, POST"), ("POST", "/v1/count", "GET"),
        ("GET", "/v1/counts", "POST"), ("HEAD", "/v1/counts", "POST"), ("POST", "/health", "GET"),
        ("PATCH", "/v1/counts", "POST"), ("DELETE", "/docs", "GET"), ("POST", "/v1/users/1/likes", "GET"),
        ("DELETE", "/v1/items/post/1/likers", "GET"),
    ])
    func anotherMethodGetsAllThatAreAllowed(_ row: (method: String, path: String, allowed: String)) throws {
        let response = try response(row.method, row.path)
        #expect(response.status == 405)
        #expect(response.header("Allow") == row.allowed)
    }

    @Test(arguments: [
        ("/v1/like/", "/v1/like"), ("/health/", "/health"), ("/v1/count/?item_id=1&x=%20", "/v1/count?item_id=1&x=%20"),
        ("/v1/users/1/likes/?limit=2", "/v1/users/1/likes?limit=2"),
        // What percent signs stand for has no place in a header.
        ("/v1/users/%0d%0aX:%20y/likes/", "/v1/users/%0d%0aX:%20y/likes"), ("/v1/lik%65/", "/v1/lik%65"),
        ("http://other.example/v1/like/", "/v1/like"),
    ])
    func aSlashAtTheEndLeadsToThePathWithoutIt(_ row: (target: String, location: String)) throws {
        let response = try response("POST", row.target)
        #expect(response.status == 307)
        #expect(response.header("Location") == row.location)
    }

    @Test func aPathMayBeWrittenWithPercentSigns() {
        #expect(question("GET", "/v1/c%6Funt?item_id=1") == .count(ItemName(type: "post", id: 1)))
    }

    @Test(arguments: ["http://host:8000", "HTTP://host", "https://[::1]:8000"])
    func aTargetMayNameTheHost(_ host: String) throws {
        #expect(question("GET", "\(host)/v1/count?item_id=1") == .count(ItemName(type: "post", id: 1)))
        #expect(try response("GET", host).text.contains("likes-http"))
        #expect(try response("GET", "\(host)?x=/v1/count").text.contains("likes-http"))
    }

    @Test func headIsGetToTheGateway() {
        #expect(question("HEAD", "/health") == .health)
    }
}

@Suite struct RequestTests {
    private let like = #"{"user_id": 1, "item_id": 2}"#

    @Test(arguments: [
        "1", "1.0", "1e0", "10e-1", "\"1\"", "\" 1 \"", "\"+1\"", "\"0_1\"", "\"0001\"", "\"1.00\"", "\"1.\"",
    ])
    func anIdMayBeWrittenInManyWays(_ id: String) {
        #expect(
            question("POST", "/v1/like", "{\"user_id\":\(id),\"item_id\":2}")
                == .like(user: 1, ItemName(type: "post", id: 2)))
    }

    @Test(arguments: [
        ("true", "int_type"), ("null", "int_type"), ("[1]", "int_type"), ("{}", "int_type"), ("1.5", "int_from_float"),
        ("-0.5", "int_from_float"), ("\"abc\"", "int_parsing"), ("\"\"", "int_parsing"), ("\"1.5\"", "int_parsing"),
        ("\"1_\"", "int_parsing"), ("\"_1\"", "int_parsing"), ("\"1__1\"", "int_parsing"), ("\"--1\"", "int_parsing"),
        ("\"0x1\"", "int_parsing"), ("\"1e3\"", "int_parsing"), ("\"\\ud800\"", "int_parsing"),
        ("-1", "greater_than_equal"), ("\"-1\"", "greater_than_equal"), ("-1e400", "greater_than_equal"),
        ("-9223372036854775809", "greater_than_equal"), ("9223372036854775808", "less_than_equal"),
        ("\"9223372036854775808\"", "less_than_equal"), ("18446744073709551616", "less_than_equal"),
        ("1e400", "less_than_equal"), ("9.3e18", "less_than_equal"),
    ])
    func whatIsNoIdIsToldByItsKind(_ row: (id: String, type: String)) throws {
        let response = try response("POST", "/v1/like", "{\"user_id\":\(row.id),\"item_id\":2}")
        #expect(try response.issues() == ["\(row.type) body user_id"])
    }

    @Test func theGreatestIdsAreIds() {
        let body = #"{"user_id": 9223372036854775807, "item_id": "9223372036854775807", "item_type": "reel"}"#
        #expect(question("DELETE", "/v1/like", body) == .unlike(user: .max, ItemName(type: "reel", id: .max)))
        #expect(question("GET", "/v1/count?item_id=0") == .count(ItemName(type: "post", id: 0)))
    }

    @Test(arguments: ["\"story\"", "\"POST\"", "null", "1", "\"\"", "\"\\ud800\""])
    func whatIsNoTypeIsTold(_ type: String) throws {
        let response = try response("POST", "/v1/like", "{\"user_id\":1,\"item_id\":2,\"item_type\":\(type)}")
        #expect(try response.issues() == ["literal_error body item_type"])
        #expect(response.text.contains("'post', 'reel' or 'comment'"))
    }

    @Test func aTypeIsPassedOnWhileTheTypesAreUnknown() {
        let request = HTTPRequest("GET", "/v1/count?item_id=1&item_type=story")
        guard case .ask(let question) = Gateway(version: "1").step(for: request) else {
            Issue.record("refused")
            return
        }
        #expect(question == .count(ItemName(type: "story", id: 1)))
    }

    @Test(arguments: [
        ("", "missing body"), ("null", "missing body"), ("[]", "model_attributes_type body"),
        ("\"like\"", "model_attributes_type body"), ("5", "model_attributes_type body"),
        ("{\"user_id\": 1", "json_invalid body 13"), ("{\"user_id\": NaN}", "json_invalid body 12"),
    ])
    func aBodyThatIsNoObjectIsTold(_ row: (body: String, issue: String)) throws {
        #expect(try response("POST", "/v1/like", row.body).issues() == [row.issue])
    }

    @Test func allThatIsWrongIsToldAtOnce() throws {
        #expect(
            try response("POST", "/v1/like", "{\"item_type\": 1}").issues() == [
                "missing body user_id", "missing body item_id", "literal_error body item_type",
            ])
        #expect(
            try response("GET", "/v1/count?item_id=x&item_type=y").issues() == [
                "int_parsing query item_id", "literal_error query item_type",
            ])
        let counts = #"{"items": [{"item_id": "x"}, 5, {"item_id": 2, "item_type": "story"}, {}]}"#
        #expect(
            try response("POST", "/v1/counts", counts).issues() == [
                "int_parsing body items 0 item_id", "model_attributes_type body items 1",
                "literal_error body items 2 item_type", "missing body items 3 item_id",
            ])
        let liked = #"{"user_id": [], "item_ids": [1, "x", null], "item_type": "x"}"#
        #expect(
            try response("POST", "/v1/has_liked", liked).issues() == [
                "int_type body user_id", "int_parsing body item_ids 1", "int_type body item_ids 2",
                "literal_error body item_type",
            ])
    }

    @Test func whatIsNotTextIsNotRead() throws {
        let request = HTTPRequest("POST", "/v1/like", contentType: json, body: Array("{\"x\":\"".utf8) + [0xFF, 0xFE])
        guard case .respond(let response) = Gateway(version: "1").step(for: request) else { throw NoResponse() }
        #expect(response.status == 400)
    }

    @Test(arguments: [nil, "application/json; charset=utf-8", "application/vnd.api+json", "APPLICATION/JSON"])
    func aJSONMediaTypeIsReadAsJSON(_ type: String?) {
        #expect(question("POST", "/v1/like", like, type: type) != nil)
    }

    @Test(arguments: ["text/plain", "application/x-www-form-urlencoded", "text/json", "json", "application/json-seq"])
    func anotherMediaTypeIsNot(_ type: String) throws {
        #expect(try response("POST", "/v1/like", like, type: type).issues() == ["model_attributes_type body"])
    }

    @Test func fieldsThatNobodyKnowsAreTaken() {
        #expect(question("POST", "/v1/like", #"{"user_id":1,"item_id":2,"x":[1,{"a":null}],"y":1e99}"#) != nil)
        #expect(question("GET", "/v1/count?item_id=2&page=3&x") != nil)
    }

    @Test func itemsAreAskedForOnce() {
        let counts = #"{"items": [{"item_id": 60}, {"item_id": "60"}, {"item_id": 60, "item_type": "reel"}]}"#
        #expect(
            question("POST", "/v1/counts", counts)
                == .counts([ItemName(type: "post", id: 60), ItemName(type: "reel", id: 60)]))
        let liked = #"{"user_id": 1, "item_ids": [2, "2", 3.0]}"#
        #expect(question("POST", "/v1/has_liked", liked) == .hasLiked(user: 1, type: "post", [2, 3]))
    }

    @Test func ofParametersWithOneNameTheLastCounts() {
        #expect(
            question("GET", "/v1/count?item_id=1&item_id=%32&item_type=re%65l")
                == .count(ItemName(type: "reel", id: 2)))
        #expect(question("GET", "/v1/count?item_id=+3+") == .count(ItemName(type: "post", id: 3)))
    }

    @Test func issuesHaveALimit() throws {
        let body = "{\"items\":[" + String(repeating: "1,", count: 100_000) + "1]}"
        #expect(try response("POST", "/v1/counts", body).issues().count == Findings.issuesMax)
    }

    @Test func aLongWrongValueIsNotRepeated() throws {
        let long = String(repeating: "x", count: 2_000)
        #expect(try response("POST", "/v1/like", "{\"user_id\":\"\(long)\",\"item_id\":1}").text.utf8.count < 500)
        #expect(
            try response("POST", "/v1/like", "{\"user_id\":\"abc\",\"item_id\":1}").text.contains("\"input\":\"abc\""))
    }
}

@Suite struct ProblemTests {
    @Test func errorsComeAsProblemsToThoseWhoAcceptThem() throws {
        let response = try response("GET", "/v1/nothing", accept: "application/json, application/problem+json;q=0.9")
        #expect(response.header("Content-Type") == "application/problem+json")
        #expect(response.text == #"{"type":"about:blank","title":"Not Found","status":404,"detail":"Not Found"}"#)
    }

    @Test(arguments: [nil, "*/*", "application/json", "application/problem+json;q=0"])
    func othersGetThemAsTheyAlwaysWere(_ accept: String?) throws {
        #expect(try response("GET", "/v1/nothing", accept: accept).header("Content-Type") == json)
    }

    @Test func aProblemHasAllIssues() throws {
        let response = try response("POST", "/v1/like", "{}", accept: "application/problem+json")
        guard case .array(let errors)? = try JSONReader.read(response.body).member("errors") else { throw NoResponse() }
        #expect(errors.count == 2)
    }
}

@Suite struct MomentTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000000Z"), (951_782_399_999_999, "2000-02-28T23:59:59.999999Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"), (1_796_042_852_000_001, "2026-11-30T12:47:32.000001Z"),
        (-1, "1969-12-31T23:59:59.999999Z"), (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
    ])
    func aMomentIsWrittenAsISO8601(_ row: (us: Int64, text: String)) {
        #expect(Moment(monotonicUs: 0, wallUs: row.us).text == row.text)
    }
}
