import LikesJSON
import LikesProtocol

/// Makes the response of an operation from what likesd replied.
struct Answering: Sendable {
    let question: Question
    /// This program's own figures.
    let metrics: String
    let began: Moment

    static let notUnderstood = Refusal.notUnderstood(
        "likesd gave an answer that is not understood: is it of this version?")

    // MARK: Replies

    /// The response where one reply says all.
    func single(_ reply: ReceivedReply, now: Moment) throws(Refusal) -> HTTPResponse {
        switch question {
        case .like: return try change(reply, isLike: true)
        case .unlike: return try change(reply, isLike: false)
        case .count(let item):
            guard let found = Self.integers(reply), found.count == 2 else { throw Self.notUnderstood }
            // By hand, since this is asked most: neither a type nor a moment has anything to escape.
            var body: [UInt8] = []
            body.reserveCapacity(160)
            body += "{\"item_id\":".utf8
            body += String(item.id).utf8
            body += ",\"item_type\":\"".utf8
            body += item.type.utf8
            body += "\",\"count\":".utf8
            body += String(found[0]).utf8
            body += (found[1] == 1 ? ",\"cached\":true,\"as_of\":\"" : ",\"cached\":false,\"as_of\":\"").utf8
            now.write(to: &body)
            body += "\"}".utf8
            return HTTPResponse(200, type: HTTPResponse.jsonType, body)
        case .likes(let user, _, let limit): return try Pages.likes(of: user, reply, limit: limit)
        case .likers(let item, _, let limit): return try Pages.likers(of: item, reply, limit: limit)
        case .health: return try health(Self.fields(reply))
        case .ready:
            let fields = try Self.fields(reply)
            guard fields["status"] != "down" else { throw Refusal.unavailable("likesd is down") }
            return .json(.object([("status", .string("ready"))]))
        case .metrics:
            guard let text = reply.text else { throw Self.notUnderstood }
            return Self.metrics(text + metrics)
        case .counts, .hasLiked: throw Self.notUnderstood
        }
    }

    private func change(_ reply: ReceivedReply, isLike: Bool) throws(Refusal) -> HTTPResponse {
        guard let found = Self.integers(reply), found.count == 2 else { throw Self.notUnderstood }
        let status =
            switch (isLike, found[0] == 1) {
            case (true, true): "liked"
            case (true, false): "already_liked"
            case (false, true): "unliked"
            case (false, false): "not_liked"
            }
        return .json(
            .object([("status", .string(status)), ("count", .integer(found[1])), ("user_liked", .bool(isLike))]))
    }

    /// The response with the numbers of all items.
    func numbers(_ numbers: [Int64], now: Moment) -> HTTPResponse {
        switch question {
        case .counts(let items):
            var members: [(name: String, value: JSON)] = []
            members.reserveCapacity(items.count)
            var hits: Int64 = 0
            for (place, item) in items.enumerated() {
                members.append((item.text, .integer(numbers[2 * place])))
                hits += numbers[2 * place + 1]
            }
            return .json(
                .object([
                    ("counts", .object(members)), ("took_ms", .number(now.ms(since: began))),
                    ("cache_hits", .integer(hits)), ("cache_misses", .integer(Int64(items.count) - hits)),
                ]))
        case .hasLiked(_, _, let ids):
            let members = ids.enumerated().map { place, id in
                (name: String(id), value: JSON.bool(numbers[place] == 1))
            }
            return .json(.object([("liked", .object(members))]))
        case .like, .unlike, .count, .likes, .likers, .health, .ready, .metrics:
            return Self.notUnderstood.response()
        }
    }

    /// As the replaced service told it: `down` is its `degraded`.
    private func health(_ fields: [String: String]) throws(Refusal) -> HTTPResponse {
        guard let status = fields["status"], let database = fields["database"], let redis = fields["redis"] else {
            throw Self.notUnderstood
        }
        return Self.health(isOK: status == "ok", database: database, redis: redis)
    }

    private static func health(isOK: Bool, database: String, redis: String) -> HTTPResponse {
        .json(
            .object([
                ("status", .string(isOK ? "ok" : "degraded")), ("database", .string(database)),
                ("redis", .string(redis)),
            ]))
    }

    private static func metrics(_ text: String) -> HTTPResponse {
        HTTPResponse(200, type: HTTPResponse.metricsType, Array(text.utf8))
    }

    // MARK: No reply

    func unanswered(_ loss: Exchange.Loss, problem: Bool) -> HTTPResponse {
        switch question {
        case .health: Self.health(isOK: false, database: "unhealthy", redis: "unhealthy")
        case .metrics: Self.metrics(metrics)
        case .like, .unlike, .count, .counts, .hasLiked, .likes, .likers, .ready:
            refusal(loss).response(problem: problem)
        }
    }

    private func refusal(_ loss: Exchange.Loss) -> Refusal {
        switch loss {
        case .neverSent(let why): return .unavailable("likesd cannot be reached: \(why)")
        case .lost(let why):
            guard question.isChange else { return .unavailable("likesd went away: \(why)") }
            return .uncertain("likesd went away before it answered (\(why)): repeat the request, which is safe")
        case .timedOut:
            guard question.isChange else { return .unavailable("likesd does not answer") }
            return .uncertain("likesd does not answer: repeat the request, which is safe")
        }
    }

    /// What likesd's refusal is in HTTP.
    static func refusal(_ error: ReceivedError, to question: Question) -> Refusal {
        // What to do about it is the operator's part, and not the client's.
        let message = ForeignText.shown(NextStep.parted(error.message).message)
        switch error.code {
        case .rateLimited: return .rateLimited(seconds: seconds(in: error.message))
        case .busy: return .busy(message)
        case .unavailable: return .unavailable(message)
        case .uncertain: return .uncertain(message)
        case .err:
            guard error.message != LikersQuery.withoutIndex else { return .unsupported(message) }
            return .invalid([.refused(at: [], message)])
        case .noPermission, .configuration, .noProto, nil: return notUnderstood
        }
    }

    /// The seconds to wait stand at the end: "… try again in 57 s".
    private static func seconds(in message: String) -> Int {
        message.split(separator: " ").compactMap { Int($0) }.last ?? 1
    }

    // MARK: Shapes

    static func integers(_ reply: ReceivedReply) -> [Int64]? {
        guard case .array(let elements) = reply else { return nil }
        var numbers: [Int64] = []
        numbers.reserveCapacity(elements.count)
        for element in elements {
            guard case .integer(let number) = element else { return nil }
            numbers.append(number)
        }
        return numbers
    }

    /// A map of strings as a flat array.
    private static func fields(_ reply: ReceivedReply) throws(Refusal) -> [String: String] {
        guard case .array(let elements) = reply, elements.count.isMultiple(of: 2) else { throw notUnderstood }
        var fields: [String: String] = [:]
        for place in stride(from: 0, to: elements.count, by: 2) {
            guard let name = elements[place].text, let value = elements[place + 1].text else { throw notUnderstood }
            fields[name] = value
        }
        return fields
    }
}

extension Refusal: Error {}
