import LikesJSON
import LikesProtocol

/// The shapes of bodies, in JSON Schema as OpenAPI 3.1 has it.
enum Schemas {
    static let id = JSON.object([
        ("type", .string("integer")), ("format", .string("int64")), ("minimum", .integer(0)),
        ("maximum", .integer(.max)),
    ])
    static let type = JSON.object([
        ("type", .string("string")), ("default", .string(ItemName.typeOtherwise)),
        ("examples", .array([.string("post"), .string("reel"), .string("comment")])),
        ("description", .string("One of likesd's ITEM_TYPES")),
    ])
    static let userID = example(id, .integer(123))
    /// A place in a list of items: as `counts` of `/v1/counts` names them.
    static let itemCursor = JSON.object([
        ("type", .string("string")), ("examples", .array([.string("post:456")])),
    ])
    static let limit = JSON.object([
        ("type", .string("integer")), ("minimum", .integer(1)),
        ("maximum", .integer(Int64(WireLimits.itemsPerRequestMax))),
        ("default", .integer(Int64(WireLimits.pageItems))),
    ])
    private static let next = JSON.object([
        ("type", .array([.string("string"), .string("null")])),
        ("description", .string("For `after` of the next page; null: this is the last one")),
    ])
    private static let count = JSON.object([
        ("type", .string("integer")), ("format", .string("int64")), ("minimum", .integer(0)),
    ])
    private static let flag = JSON.object([("type", .string("boolean"))])
    private static let number = JSON.object([("type", .string("number"))])
    private static let text = JSON.object([("type", .string("string"))])

    static func reference(_ name: String) -> JSON { .object([("$ref", .string("#/components/schemas/\(name)"))]) }

    /// All of them, by their names.
    static let all: [(name: String, value: JSON)] = [
        (
            "Like",
            object(
                [("user_id", id), ("item_id", id), ("item_type", type)], required: ["user_id", "item_id"],
                example: .object([("user_id", .integer(123)), ("item_id", .integer(456))]))
        ),
        (
            "Liked",
            object([
                ("status", oneOf("liked", "already_liked", "unliked", "not_liked")), ("count", count),
                ("user_liked", flag),
            ])
        ),
        (
            "Count",
            object([
                ("item_id", id), ("item_type", text), ("count", count),
                ("cached", described(flag, "From the memory of likesd, or from Redis")),
                (
                    "as_of",
                    .object([("type", .string("string")), ("format", .string("date-time"))])
                ),
            ])
        ),
        ("Item", object([("item_id", id), ("item_type", type)], required: ["item_id"])),
        (
            "Items",
            object(
                [("items", list(of: reference("Item")))],
                example: .object([
                    (
                        "items",
                        .array([
                            .object([("item_id", .integer(456))]),
                            .object([("item_id", .integer(7)), ("item_type", .string("reel"))]),
                        ])
                    )
                ]))
        ),
        (
            "Counts",
            object([
                ("counts", described(map(to: count), "By `type:id`, as in `post:456`")), ("took_ms", number),
                ("cache_hits", count), ("cache_misses", count),
            ])
        ),
        (
            "UserItems",
            object(
                [("user_id", id), ("item_ids", list(of: id)), ("item_type", type)],
                required: ["user_id", "item_ids"],
                example: .object([
                    ("user_id", .integer(123)), ("item_ids", .array([.integer(456), .integer(457)])),
                ]))
        ),
        ("HasLiked", object([("liked", described(map(to: flag), "By the items' ids"))])),
        (
            "LikesPage",
            object([
                ("user_id", id), ("items", list(of: object([("item_id", id), ("item_type", text)]))), ("next", next),
            ])
        ),
        (
            "LikersPage",
            object([("item_id", id), ("item_type", text), ("user_ids", list(of: id)), ("next", next)])
        ),
        (
            "Health",
            object([
                ("status", oneOf("ok", "degraded")), ("database", oneOf("healthy", "unhealthy")),
                ("redis", oneOf("healthy", "unhealthy")),
            ])
        ),
        ("State", object([("status", text)])),
        ("Service", object([("service", text), ("version", text), ("description", text)])),
        ("Description", .object([("type", .string("object"))])),
        ("Message", object([("detail", text)])),
        (
            "Issue",
            object(
                [
                    ("type", text),
                    ("loc", list(of: .object([("type", .array([.string("string"), .string("integer")]))]))),
                    ("msg", text), ("input", .object([])), ("ctx", .object([("type", .string("object"))])),
                ], required: ["type", "loc", "msg"])
        ),
        ("Issues", object([("detail", list(of: reference("Issue")))])),
        (
            "RateLimited",
            object([("detail", object([("error", oneOf("rate_limited")), ("retry_after", count)]))])
        ),
        (
            "Failure",
            object([
                (
                    "detail",
                    object([
                        (
                            "error",
                            described(
                                oneOf("busy", "unavailable", "uncertain", "unsupported", "not_understood"),
                                "`uncertain`: whether it was stored is unknown; with the others nothing was")
                        ),
                        ("message", text),
                    ])
                )
            ])
        ),
        (
            "Problem",
            described(
                object(
                    [
                        ("type", text), ("title", text), ("status", .object([("type", .string("integer"))])),
                        ("detail", text), ("error", text), ("retry_after", count),
                        ("errors", list(of: reference("Issue"))),
                    ], required: ["type", "title", "status", "detail"]),
                "RFC 9457, for requests that accept `application/problem+json`")
        ),
    ]

    private static func object(
        _ members: [(name: String, value: JSON)], required: [String]? = nil, example: JSON? = nil
    ) -> JSON {
        var schema: [(name: String, value: JSON)] = [
            ("type", .string("object")),
            ("required", .array((required ?? members.map(\.name)).map { .string($0) })),
            ("properties", .object(members)),
        ]
        if let example { schema.append(("examples", .array([example]))) }
        return .object(schema)
    }

    private static func list(of schema: JSON) -> JSON {
        .object([("type", .string("array")), ("items", schema)])
    }

    private static func map(to schema: JSON) -> JSON {
        .object([("type", .string("object")), ("additionalProperties", schema)])
    }

    private static func oneOf(_ words: String...) -> JSON {
        .object([("type", .string("string")), ("enum", .array(words.map { .string($0) }))])
    }

    private static func example(_ schema: JSON, _ value: JSON) -> JSON {
        guard case .object(let members) = schema else { return schema }
        return .object(members + [("examples", .array([value]))])
    }

    private static func described(_ schema: JSON, _ text: String) -> JSON {
        guard case .object(let members) = schema else { return schema }
        return .object(members + [("description", .string(text))])
    }
}
