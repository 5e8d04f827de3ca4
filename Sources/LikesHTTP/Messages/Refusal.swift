import LikesJSON

/// Why a request gets no answer of its operation. What it looks like depends on what the client accepts.
package enum Refusal: Equatable, Sendable {
    /// No such path.
    case notFound
    /// The path has other methods: these.
    case methodNotAllowed(allowed: [String])
    /// The body is not text.
    case unreadableBody
    /// What is wrong with the request, all of it.
    case invalid([Issue])
    /// The headers contradict each other, or one is missing.
    case badRequest(String)
    /// The body has more bytes than this.
    case tooLarge(bytesMax: Int)
    /// The request did not arrive in time.
    case tooSlow
    /// The user has liked and unliked too often.
    case rateLimited(seconds: Int)
    /// likesd or this program has reached a limit. Nothing was stored.
    case busy(String)
    /// likesd, or its PostgreSQL, cannot be reached. Nothing was stored.
    case unavailable(String)
    /// Whether the change was stored is unknown.
    case uncertain(String)
    /// likesd gave an answer that this program does not know.
    case notUnderstood(String)
    /// The database lacks what this takes, until an operator makes it.
    case unsupported(String)

    package var status: Int {
        switch self {
        case .badRequest, .unreadableBody: 400
        case .notFound: 404
        case .methodNotAllowed: 405
        case .tooSlow: 408
        case .tooLarge: 413
        case .invalid: 422
        case .rateLimited: 429
        case .unsupported: 501
        case .notUnderstood: 502
        case .busy, .unavailable, .uncertain: 503
        }
    }

    /// After how many seconds to repeat the request; nil: that would not help.
    private var retrySeconds: Int? {
        switch self {
        case .rateLimited(let seconds): max(1, seconds)
        case .busy, .unavailable, .uncertain: 1
        case .notFound, .methodNotAllowed, .unreadableBody, .invalid, .badRequest, .tooLarge, .tooSlow,
            .notUnderstood, .unsupported:
            nil
        }
    }

    /// The word for programs; nil: the status says it all.
    private var word: String? {
        switch self {
        case .rateLimited: "rate_limited"
        case .busy: "busy"
        case .unavailable: "unavailable"
        case .uncertain: "uncertain"
        case .notUnderstood: "not_understood"
        case .unsupported: "unsupported"
        case .notFound, .methodNotAllowed, .unreadableBody, .invalid, .badRequest, .tooLarge, .tooSlow: nil
        }
    }

    /// What happened, in words.
    private var text: String {
        switch self {
        case .notFound: "Not Found"
        case .methodNotAllowed: "Method Not Allowed"
        case .unreadableBody: "There was an error parsing the body"
        case .invalid(let issues): issues.count == 1 ? issues[0].message : "\(issues.count) values are wrong"
        case .badRequest(let why): why
        case .tooLarge(let bytesMax): "The body has more than \(bytesMax) bytes"
        case .tooSlow: "The request did not arrive in time"
        case .rateLimited(let seconds): "Too many likes and unlikes of this user: try again in \(seconds) s"
        case .busy(let message), .unavailable(let message), .uncertain(let message), .notUnderstood(let message),
            .unsupported(let message):
            message
        }
    }

    private var title: String {
        switch status {
        case 400: "Bad Request"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 413: "Content Too Large"
        case 422: "Unprocessable Content"
        case 429: "Too Many Requests"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        default: "Service Unavailable"
        }
    }

    /// `problem`: in the form of RFC 9457.
    package func response(problem: Bool = false) -> HTTPResponse {
        var response =
            problem
            ? HTTPResponse(status, type: HTTPResponse.problemType, self.problem.bytes)
            : .json(.object([("detail", detail)]), status: status)
        if case .methodNotAllowed(let allowed) = self {
            response.headers.append(.init(name: "Allow", value: allowed.sorted().joined(separator: ", ")))
        }
        if let retrySeconds { response.headers.append(.init(name: "Retry-After", value: String(retrySeconds))) }
        // A cache may keep a 501 otherwise, and the index may be made the next minute.
        if case .unsupported = self { response.headers.append(.init(name: "Cache-Control", value: "no-store")) }
        return response
    }

    private var detail: JSON {
        switch self {
        case .invalid(let issues): .array(issues.map(\.json))
        case .rateLimited(let seconds):
            .object([("error", .string("rate_limited")), ("retry_after", .integer(Int64(max(1, seconds))))])
        case .busy, .unavailable, .uncertain, .notUnderstood, .unsupported:
            .object([("error", word.map { .string($0) } ?? .null), ("message", .string(text))])
        case .notFound, .methodNotAllowed, .unreadableBody, .badRequest, .tooLarge, .tooSlow: .string(text)
        }
    }

    private var problem: JSON {
        var members: [(name: String, value: JSON)] = [
            ("type", .string(word.map { "urn:likesd:error:\($0)" } ?? "about:blank")), ("title", .string(title)),
            ("status", .integer(Int64(status))), ("detail", .string(text)),
        ]
        if let word { members.append(("error", .string(word))) }
        if case .invalid(let issues) = self { members.append(("errors", .array(issues.map(\.json)))) }
        if let retrySeconds { members.append(("retry_after", .integer(Int64(retrySeconds)))) }
        return .object(members)
    }
}
