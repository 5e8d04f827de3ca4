import LikesJSON

/// Decides about requests: which are answered at once, and what likesd is asked for the others.
package struct Gateway: Sendable {
    /// The item types that likesd has; nil: not known yet. Then any text that may be one is passed on.
    package var types: [String]?
    private let version: String

    package init(version: String) { self.version = version }

    package enum Step: Sendable {
        case respond(HTTPResponse)
        case ask(Question)
    }

    /// What is to be done about a request.
    package func step(for request: HTTPRequest) -> Step {
        do throws(Refusal) {
            let path = request.path
            guard let (routes, values) = Operation.found(path) else { return .respond(try elsewhere(path, request)) }
            // HEAD is GET without the body, which the edge leaves out.
            let method = request.method == "HEAD" ? "GET" : request.method
            guard let route = routes.first(where: { $0.method == method }) else {
                throw .methodNotAllowed(allowed: routes.map(\.method))
            }
            return try step(for: request, route.task, values)
        } catch {
            return .respond(error.response(problem: request.wantsProblems))
        }
    }

    /// A slash too many at the end leads to the path without it.
    private func elsewhere(_ path: String, _ request: HTTPRequest) throws(Refusal) -> HTTPResponse {
        guard let target = request.targetWithoutSlash, Operation.found(String(path.dropLast())) != nil else {
            throw .notFound
        }
        return .redirect(to: target)
    }

    /// `values`: the parameters in the path, in order.
    private func step(
        for request: HTTPRequest, _ task: Operation.Task, _ values: [String]
    ) throws(Refusal) -> Step {
        switch task {
        case .like:
            let (user, item) = try like(request)
            return .ask(.like(user: user, item))
        case .unlike:
            let (user, item) = try like(request)
            return .ask(.unlike(user: user, item))
        case .count: return .ask(.count(try count(request)))
        case .counts: return .ask(.counts(try counts(request)))
        case .hasLiked: return .ask(try hasLiked(request))
        case .likes: return .ask(try likes(request, user: values.first))
        case .likers: return .ask(try likers(request, type: values.first, id: values.last))
        case .health: return .ask(.health)
        case .ready: return .ask(.ready)
        case .metrics: return .ask(.metrics)
        case .live: return .respond(.json(.object([("status", .string("alive"))])))
        case .root:
            return .respond(
                .json(
                    .object([
                        ("service", .string("likes-http")), ("version", .string(version)),
                        ("description", .string("Likes, unlikes and counts of likesd over HTTP: see /docs")),
                    ])))
        case .openAPI: return .respond(.json(OpenAPI.description(version: version)))
        case .page(let part): return .respond(part.response)
        }
    }

    // MARK: The operations' requests

    private func like(_ request: HTTPRequest) throws(Refusal) -> (user: Int64, ItemName) {
        let body = try object(request)
        var findings = Findings(types: types)
        let location: [Issue.Step] = [.name("body")]
        let user = findings.id("user_id", in: body, at: location)
        let item = findings.id("item_id", in: body, at: location)
        let type = findings.type(body.member("item_type"), at: location + [.name("item_type")])
        guard let user, let item, let type else { throw .invalid(findings.issues) }
        return (user, ItemName(type: type, id: item))
    }

    private func count(_ request: HTTPRequest) throws(Refusal) -> ItemName {
        var findings = Findings(types: types)
        let item = findings.id(text: QueryText.value("item_id", in: request.query), "item_id")
        let type = findings.type(
            QueryText.value("item_type", in: request.query).map { .string($0) },
            at: [.name("query"), .name("item_type")])
        guard let item, let type else { throw .invalid(findings.issues) }
        return ItemName(type: type, id: item)
    }

    private func counts(_ request: HTTPRequest) throws(Refusal) -> [ItemName] {
        let body = try object(request)
        var findings = Findings(types: types)
        var items = Unique<ItemName>()
        let location: [Issue.Step] = [.name("body"), .name("items")]
        for (place, value) in (findings.list("items", in: body, at: [.name("body")]) ?? []).enumerated() {
            guard !findings.isFull else { break }
            let location = location + [.place(place)]
            guard case .object = value else {
                findings.add(.notAnObject(at: location, value))
                continue
            }
            let id = findings.id("item_id", in: value, at: location)
            let type = findings.type(value.member("item_type"), at: location + [.name("item_type")])
            if let id, let type { items.add(ItemName(type: type, id: id)) }
        }
        guard findings.issues.isEmpty else { throw .invalid(findings.issues) }
        return items.all
    }

    private func hasLiked(_ request: HTTPRequest) throws(Refusal) -> Question {
        let body = try object(request)
        var findings = Findings(types: types)
        var ids = Unique<Int64>()
        let location: [Issue.Step] = [.name("body")]
        let user = findings.id("user_id", in: body, at: location)
        for (place, value) in (findings.list("item_ids", in: body, at: location) ?? []).enumerated() {
            guard !findings.isFull else { break }
            if let id = findings.id(value, at: location + [.name("item_ids"), .place(place)]) { ids.add(id) }
        }
        let type = findings.type(body.member("item_type"), at: location + [.name("item_type")])
        guard findings.issues.isEmpty, let user, let type else { throw .invalid(findings.issues) }
        return .hasLiked(user: user, type: type, ids.all)
    }

    private func likes(_ request: HTTPRequest, user: String?) throws(Refusal) -> Question {
        var findings = Findings(types: types)
        let user = findings.id(text: user, "user_id", in: "path")
        let after = QueryText.value("after", in: request.query).map { findings.item(behind: $0) }
        let limit = findings.limit(QueryText.value("limit", in: request.query))
        guard findings.issues.isEmpty, let user, let limit else { throw .invalid(findings.issues) }
        return .likes(user: user, after: after ?? nil, limit: limit)
    }

    private func likers(_ request: HTTPRequest, type: String?, id: String?) throws(Refusal) -> Question {
        var findings = Findings(types: types)
        let type = findings.type(type.map { .string($0) }, at: [.name("path"), .name("item_type")])
        let id = findings.id(text: id, "item_id", in: "path")
        let after = QueryText.value("after", in: request.query).map { findings.id(text: $0, "after") }
        let limit = findings.limit(QueryText.value("limit", in: request.query))
        guard findings.issues.isEmpty, let type, let id, let limit else { throw .invalid(findings.issues) }
        return .likers(ItemName(type: type, id: id), after: after ?? nil, limit: limit)
    }

    private func object(_ request: HTTPRequest) throws(Refusal) -> JSON {
        let location: [Issue.Step] = [.name("body")]
        switch try body(request) {
        case .missing: throw .invalid([.missing(at: location, in: nil)])
        case .other(let text): throw .invalid([.notAnObject(at: location, text.map { .string($0) })])
        case .json(let value):
            guard case .object = value else { throw .invalid([.notAnObject(at: location, value)]) }
            return value
        }
    }

    private func body(_ request: HTTPRequest) throws(Refusal) -> RequestBody {
        do throws(RequestBody.Unreadable) {
            return try RequestBody.read(request)
        } catch {
            switch error {
            case .notText: throw .unreadableBody
            case .notJSON(let fault): throw .invalid([.notJSON(fault)])
            }
        }
    }
}

/// Values in the order in which they came first.
private struct Unique<Value: Hashable> {
    private(set) var all: [Value] = []
    private var seen: Set<Value> = []

    mutating func add(_ value: Value) {
        if seen.insert(value).inserted { all.append(value) }
    }
}
