import LikesJSON

/// One thing that can be asked for: the table of these decides about routes, and is what `/openapi.json` and `/docs`
/// show.
package struct Operation: Sendable {
    /// What is done.
    enum Task: Sendable {
        case like, unlike, count, counts, hasLiked, likes, likers
        case health, live, ready, metrics
        case root, openAPI
        case page(PagePart)
    }

    /// A parameter of the query, or of the path.
    struct Parameter: Sendable {
        /// Where it stands, in OpenAPI's words.
        enum Place: String, Sendable {
            case path, query
        }

        var name: String
        var place = Place.query
        var isRequired: Bool
        var summary: String
        var schema: JSON
    }

    /// What a response contains.
    enum Content: Sendable {
        case json(schema: String)
        case text(type: String)
        case none
    }

    struct Response: Sendable {
        var status: Int
        var summary: String
        var content: Content
    }

    var task: Task
    /// Its name in clients that are generated from `/openapi.json`.
    var id: String
    var method: String
    /// A step in braces stands for any text: it is a parameter of this name.
    var path: String
    var tag: Tag
    var summary: String
    var text: String
    var parameters: [Parameter] = []
    /// The schema of the body; nil: it has none.
    var body: String?
    /// The answer if all is well.
    var success: Response
    /// The statuses that it may have besides.
    var failures: [Int] = []

    /// How operations are grouped.
    enum Tag: String, CaseIterable, Sendable {
        case likes, service

        var summary: String {
            switch self {
            case .likes: "Likes and counts"
            case .service: "The service itself"
            }
        }
    }
}

extension Operation {
    /// All of them, in the order in which they are shown.
    package static let all: [Operation] = [
        Operation(
            task: .like, id: "like", method: "POST", path: "/v1/like", tag: .likes, summary: "Like an item",
            text: "Answered after PostgreSQL has committed it. It may be repeated: of any number of equal requests one "
                + "answers `liked`.",
            body: "Like", success: .ok("The user likes the item", "Liked"), failures: ofChanges),
        Operation(
            task: .unlike, id: "unlike", method: "DELETE", path: "/v1/like", tag: .likes, summary: "Take a like back",
            text: "Answered after PostgreSQL has committed it. It may be repeated: of any number of equal requests one "
                + "answers `unliked`.",
            body: "Like", success: .ok("The user does not like the item", "Liked"), failures: ofChanges),
        Operation(
            task: .count, id: "count", method: "GET", path: "/v1/count", tag: .likes,
            summary: "How many users like an item",
            text: "0 for an item that was never liked.",
            parameters: [
                Parameter(name: "item_id", isRequired: true, summary: "The item's id", schema: Schemas.id),
                Parameter(name: "item_type", isRequired: false, summary: "The item's type", schema: Schemas.type),
            ],
            success: .ok("The count", "Count"), failures: ofReads),
        Operation(
            task: .counts, id: "counts", method: "POST", path: "/v1/counts", tag: .likes,
            summary: "The counts of many items", text: "Any number of items, of any types, up to the size of a body.",
            body: "Items", success: .ok("All counts", "Counts"), failures: ofReads + [413]),
        Operation(
            task: .hasLiked, id: "hasLiked", method: "POST", path: "/v1/has_liked", tag: .likes,
            summary: "Which of these items a user likes",
            text: "PostgreSQL is asked, so the answer is exact at one moment. Items are of one type.",
            body: "UserItems", success: .ok("For each item whether the user likes it", "HasLiked"),
            failures: ofReads + [413]),
        Operation(
            task: .likes, id: "likes", method: "GET", path: "/v1/users/{user_id}/likes", tag: .likes,
            summary: "What a user likes, a page at a time",
            text: "By the items' ids, and of one id by type. Likes that come and go meanwhile move no others to "
                + "another page. For the next page give `next` to `after`; the last page has `null` there.",
            parameters: [
                Parameter(
                    name: "user_id", place: .path, isRequired: true, summary: "The user's id", schema: Schemas.userID),
                Parameter(
                    name: "after", isRequired: false,
                    summary: "The page begins after this item, liked or not: `next` of the page before",
                    schema: Schemas.itemCursor),
                limit,
            ],
            success: .ok("A page of items", "LikesPage"), failures: [422, 502, 503]),
        Operation(
            task: .likers, id: "likers", method: "GET", path: "/v1/items/{item_type}/{item_id}/likers", tag: .likes,
            summary: "Who likes an item, a page at a time",
            text: "By the users' ids, in pages as those of `/v1/users/{user_id}/likes`. It takes an index in "
                + "PostgreSQL that is optional: `likesctl migrate --likers-index` makes it. Without it the status "
                + "is 501.",
            parameters: [
                Parameter(
                    name: "item_type", place: .path, isRequired: true, summary: "The item's type",
                    schema: Schemas.type),
                Parameter(
                    name: "item_id", place: .path, isRequired: true, summary: "The item's id", schema: Schemas.id),
                Parameter(
                    name: "after", isRequired: false,
                    summary: "The page begins after this user: `next` of the page before", schema: Schemas.userID),
                limit,
            ],
            success: .ok("A page of users", "LikersPage"), failures: [422, 501, 502, 503]),
        Operation(
            task: .health, id: "health", method: "GET", path: "/health", tag: .service,
            summary: "How the service is", text: "Always 200. See `/ready` for a status that tells.",
            success: .ok("The state", "Health")),
        Operation(
            task: .live, id: "live", method: "GET", path: "/live", tag: .service, summary: "Whether this process lives",
            text: "Asks nobody.", success: .ok("It lives", "State")),
        Operation(
            task: .ready, id: "ready", method: "GET", path: "/ready", tag: .service,
            summary: "Whether requests can be served",
            text: "Asks likesd. 503 while likesd cannot be reached or is down.",
            success: .ok("Requests are served", "State"), failures: [503]),
        Operation(
            task: .metrics, id: "metrics", method: "GET", path: "/metrics", tag: .service,
            summary: "Figures for Prometheus", text: "Those of likesd, and this program's own (`likes_http_…`).",
            success: Response(
                status: 200, summary: "The text format of Prometheus",
                content: .text(type: HTTPResponse.metricsType))),
        Operation(
            task: .root, id: "root", method: "GET", path: "/", tag: .service, summary: "What this is", text: "",
            success: .ok("Its name and version", "Service")),
        Operation(
            task: .openAPI, id: "openapi", method: "GET", path: "/openapi.json", tag: .service,
            summary: "This description", text: "OpenAPI 3.1.",
            success: Response(status: 200, summary: "The description", content: .json(schema: "Description"))),
        Operation(
            task: .page(.page), id: "docs", method: "GET", path: "/docs", tag: .service,
            summary: "A page to try the operations", text: "Works without a network.",
            success: Response(status: 200, summary: "The page", content: .text(type: PagePart.page.type))),
        Operation(
            task: .page(.script), id: "docsScript", method: "GET", path: "/docs/page.js", tag: .service,
            summary: "The page's script", text: "",
            success: Response(status: 200, summary: "The script", content: .text(type: PagePart.script.type))),
        Operation(
            task: .page(.style), id: "docsStyle", method: "GET", path: "/docs/page.css", tag: .service,
            summary: "The page's style", text: "",
            success: Response(status: 200, summary: "The style sheet", content: .text(type: PagePart.style.type))),
    ]

    private static let limit = Parameter(
        name: "limit", isRequired: false, summary: "How many at most", schema: Schemas.limit)
    private static let ofReads = [400, 422, 502, 503]
    private static let ofChanges = [400, 413, 422, 429, 502, 503]

    /// A method of a path, and what it does.
    struct Route: Sendable {
        var method: String
        var task: Task
    }

    /// What each path has. Looked up for every request, so it has nothing of the descriptions.
    private static let routes: [String: [Route]] = all.reduce(into: [:]) { routes, operation in
        routes[operation.path, default: []].append(Route(method: operation.method, task: operation.task))
    }
    /// Paths without parameters.
    private static let fixed = routes.filter { !$0.key.contains("{") }
    /// The others by their steps. They are few, and looked at last.
    private static let patterns = routes.filter { $0.key.contains("{") }.map { path, routes in
        (steps: path.split(separator: "/"), routes: routes)
    }

    /// What a path has, and its parameters in order; nil: there is no such path.
    static func found(_ path: String) -> (routes: [Route], values: [String])? {
        if let routes = fixed[path] { return (routes, []) }
        guard path.utf8.first == UInt8(ascii: "/") else { return nil }
        let steps = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        for pattern in patterns {
            if let values = values(of: pattern.steps, in: steps) { return (pattern.routes, values) }
        }
        return nil
    }

    /// The texts that stand for parameters, which are never empty; nil: these are the steps of another path.
    private static func values(of pattern: [Substring], in steps: ArraySlice<Substring>) -> [String]? {
        guard pattern.count == steps.count else { return nil }
        var values: [String] = []
        for (wanted, step) in zip(pattern, steps) {
            if wanted.first == "{" {
                guard !step.isEmpty else { return nil }
                values.append(String(step))
            } else if wanted != step {
                return nil
            }
        }
        return values
    }
}

extension Operation.Response {
    fileprivate static func ok(_ summary: String, _ schema: String) -> Operation.Response {
        Operation.Response(status: 200, summary: summary, content: .json(schema: schema))
    }
}
