import LikesCore
import LikesProtocol
import LikesStorage

// LIKES and LIKERS: parameters and rows of `ReaderStatements.likes` and `.likers`.
extension ReaderRequest {
    /// Before every item and every user: a row that another program wrote may have a negative id.
    private static let beforeAll: (id: Int64, type: Int16) = (-1, .max)

    static func write(_ queries: [ListQuery], to parameters: inout StatementParameters, types: TypeNumbers) {
        let likes = queries.compactMap { query in if case .likes(let likes) = query { likes } else { nil } }
        let likers = queries.compactMap { query in if case .likers(let likers) = query { likers } else { nil } }
        guard likers.isEmpty else {
            parameters.append(items: likers.map(\.item), types: types)
            parameters.append(bigints: likers) { $0.after ?? beforeAll.id }
            parameters.append(bigints: likers) { Int64($0.limit) }
            return
        }
        parameters.append(bigints: likes) { $0.user }
        parameters.append(bigints: likes) { $0.after?.id ?? beforeAll.id }
        parameters.append(smallints: likes) { $0.after.map { types.number(of: $0) } ?? beforeAll.type }
        parameters.append(bigints: likes) { Int64($0.limit) }
        parameters.append(smallints: types.known) { $0 }
    }
}

extension StatementResult {
    func pages(of queries: [ListQuery], types: TypeNumbers) throws(Misfit) -> [ListPage] {
        var pages = queries.map { query -> ListPage in if case .likes = query { .items([]) } else { .users([]) } }
        for row in 0..<rowCount {
            let place = try place(row, of: queries.count)
            switch queries[place] {
            case .likes(let query): try addItem(row, of: query, to: &pages[place], types: types)
            case .likers(let query): try addUser(row, of: query, to: &pages[place])
            }
        }
        return pages
    }

    private func addItem(
        _ row: Int, of query: LikesQuery, to page: inout ListPage, types: TypeNumbers
    ) throws(Misfit) {
        guard case .items(var items) = page else { return }
        page = .items([])
        let number = try integer(row, 1, as: Int16.self)
        let id = try integer(row, 2, in: 0...Int64.max)
        guard let item = types.item(number: number, id: id) else { throw Misfit("a like of an unrequested type") }
        let last = items.last ?? query.after
        // A page that goes back would let its reader go round for ever.
        if let last, (id, number) <= (last.id, types.number(of: last)) { throw Misfit("likes out of order") }
        guard items.count < query.limit else { throw Misfit("more likes than were asked for") }
        items.append(item)
        page = .items(items)
    }

    private func addUser(_ row: Int, of query: LikersQuery, to page: inout ListPage) throws(Misfit) {
        guard case .users(var users) = page else { return }
        guard !isNull(row, 1) else {
            page = .withoutIndex
            return
        }
        guard !isNull(row, 2) else { return }
        page = .users([])
        let user = try integer(row, 2, in: 0...Int64.max)
        if let last = users.last ?? query.after, user <= last { throw Misfit("users out of order") }
        guard users.count < query.limit else { throw Misfit("more users than were asked for") }
        users.append(user)
        page = .users(users)
    }
}
