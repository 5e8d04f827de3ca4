import LikesJSON
import LikesProtocol

/// Makes the response of an operation that lists something: one page, and where the next one begins.
enum Pages {
    /// What a user likes.
    static func likes(of user: Int64, _ reply: ReceivedReply, limit: Int) throws(Refusal) -> HTTPResponse {
        guard case .array(let elements) = reply else { throw Answering.notUnderstood }
        var items: [JSON] = []
        items.reserveCapacity(elements.count)
        for element in elements {
            guard let item = element.text.flatMap({ ItemName($0) }) else { throw Answering.notUnderstood }
            items.append(.object([("item_id", .integer(item.id)), ("item_type", .string(item.type))]))
        }
        return .json(
            .object([
                ("user_id", .integer(user)), ("items", .array(items)),
                ("next", next(behind: elements.last?.text, count: elements.count, limit: limit)),
            ]))
    }

    /// Who likes an item.
    static func likers(of item: ItemName, _ reply: ReceivedReply, limit: Int) throws(Refusal) -> HTTPResponse {
        guard let users = Answering.integers(reply) else { throw Answering.notUnderstood }
        return .json(
            .object([
                ("item_id", .integer(item.id)), ("item_type", .string(item.type)),
                ("user_ids", .array(users.map { .integer($0) })),
                ("next", next(behind: users.last.map { String($0) }, count: users.count, limit: limit)),
            ]))
    }

    /// What to give to `after` for the next page: text, so that no client rounds it. A page that is not full is the
    /// last one.
    private static func next(behind last: String?, count: Int, limit: Int) -> JSON {
        guard count >= limit, let last else { return .null }
        return .string(last)
    }
}
