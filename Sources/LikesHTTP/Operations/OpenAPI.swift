import LikesJSON

/// The description of all operations for programs: OpenAPI 3.1.
enum OpenAPI {
    static func description(version: String) -> JSON {
        .object([
            ("openapi", .string("3.1.0")),
            (
                "info",
                .object([
                    ("title", .string("likesd over HTTP")), ("version", .string(version)),
                    (
                        "description",
                        .string("Likes, unlikes and counts. Whoever can reach this may like as any user.")
                    ),
                    ("license", .object([("name", .string("MIT")), ("identifier", .string("MIT"))])),
                ])
            ),
            ("servers", .array([.object([("url", .string("/"))])])),
            (
                "tags",
                .array(
                    Operation.Tag.allCases.map {
                        .object([("name", .string($0.rawValue)), ("description", .string($0.summary))])
                    })
            ),
            ("paths", .object(paths)),
            ("components", .object([("schemas", .object(Schemas.all))])),
        ])
    }

    /// Each path once, with its methods.
    private static var paths: [(name: String, value: JSON)] {
        var names: [String] = []
        for operation in Operation.all where !names.contains(operation.path) { names.append(operation.path) }
        return names.map { name in
            let operations = Operation.all.filter { $0.path == name }
            return (name, .object(operations.map { ($0.method.lowercased(), description($0)) }))
        }
    }

    private static func description(_ operation: Operation) -> JSON {
        var members: [(name: String, value: JSON)] = [
            ("operationId", .string(operation.id)), ("tags", .array([.string(operation.tag.rawValue)])),
            ("summary", .string(operation.summary)),
        ]
        if !operation.text.isEmpty { members.append(("description", .string(operation.text))) }
        if !operation.parameters.isEmpty {
            members.append(("parameters", .array(operation.parameters.map(description))))
        }
        if let body = operation.body {
            members.append(
                (
                    "requestBody",
                    .object([
                        ("required", .bool(true)), ("content", content(HTTPResponse.jsonType, Schemas.reference(body))),
                    ])
                ))
        }
        members.append(
            (
                "responses",
                .object(
                    [(String(operation.success.status), description(operation.success))]
                        + operation.failures.map { (String($0), failure($0)) })
            ))
        return .object(members)
    }

    private static func description(_ parameter: Operation.Parameter) -> JSON {
        .object([
            ("name", .string(parameter.name)), ("in", .string(parameter.place.rawValue)),
            ("required", .bool(parameter.isRequired)), ("description", .string(parameter.summary)),
            ("schema", parameter.schema),
        ])
    }

    private static func description(_ response: Operation.Response) -> JSON {
        let summary = ("description", JSON.string(response.summary))
        return switch response.content {
        case .json(let schema):
            .object([summary, ("content", content(HTTPResponse.jsonType, Schemas.reference(schema)))])
        case .text(let type):
            .object([summary, ("content", content(type, .object([("type", .string("string"))])))])
        case .none: .object([summary])
        }
    }

    private static func content(_ type: String, _ schema: JSON) -> JSON {
        .object([(type, .object([("schema", schema)]))])
    }

    private static func failure(_ status: Int) -> JSON {
        let (summary, schema) =
            switch status {
            case 400: ("The request cannot be read", "Message")
            case 413: ("The body is too large", "Message")
            case 422: ("The request is wrong: all that is", "Issues")
            case 429: ("Too many likes and unlikes of this user. Nothing was stored", "RateLimited")
            case 501: ("The database lacks the index: `likesctl migrate --likers-index` makes it", "Failure")
            case 502: ("likesd gave an answer that is not understood", "Failure")
            default: ("Not now: the word of `error` says what is known", "Failure")
            }
        var members: [(name: String, value: JSON)] = [("description", .string(summary))]
        if status == 429 || status == 503 {
            members.append(
                (
                    "headers",
                    .object([
                        (
                            "Retry-After",
                            .object([
                                ("description", .string("Seconds after which to repeat the request")),
                                ("schema", .object([("type", .string("integer"))])),
                            ])
                        )
                    ])
                ))
        }
        members.append(
            (
                "content",
                .object([
                    (HTTPResponse.jsonType, .object([("schema", Schemas.reference(schema))])),
                    (HTTPResponse.problemType, .object([("schema", Schemas.reference("Problem"))])),
                ])
            ))
        return .object(members)
    }
}
