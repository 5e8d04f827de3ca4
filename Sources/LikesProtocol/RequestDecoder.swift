/// Turns the words of a well-framed request into a `Request`. Wrong words become `.invalid`, with a message that says
/// what was wrong and what is allowed.
struct RequestDecoder: Sendable {
    private let types: ItemTypes

    init(types: ItemTypes) { self.types = types }

    /// The request of this verb; `arguments` holds the words behind the verb.
    func decode(verb name: UnsafeRawBufferPointer, _ arguments: inout Arguments) -> Request {
        guard let verb = Verb(name) else { return .invalid(RequestDecoder.unknownCommand(name)) }
        do throws(ErrorReply) {
            return try request(verb, &arguments)
        } catch {
            return .invalid(error)
        }
    }

    private func request(_ verb: Verb, _ arguments: inout Arguments) throws(ErrorReply) -> Request {
        switch verb {
        case .like: return .like(try pair(verb, &arguments))
        case .unlike: return .unlike(try pair(verb, &arguments))
        case .liked: return .liked(try pair(verb, &arguments))
        case .count:
            let word = try only(verb, &arguments)
            return .count(try item(word))
        case .mcount:
            var withCached = false
            let items = try items(verb, &arguments) { word in
                withCached = RequestDecoder.isKeyword(word, "WITHCACHED")
                return withCached
            }
            return .mcount(items, withCached: withCached)
        case .mliked:
            let user = try user(try required(verb, &arguments))
            return .mliked(user: user, items: try items(verb, &arguments))
        case .likes:
            let user = try user(try required(verb, &arguments))
            let (after, limit) = try page(verb, &arguments)
            return .likes(LikesQuery(user: user, after: try after.map(item), limit: limit))
        case .likers:
            let item = try item(try required(verb, &arguments))
            let (after, limit) = try page(verb, &arguments)
            return .likers(LikersQuery(item: item, after: try after.map(user), limit: limit))
        case .health:
            try end(verb, &arguments)
            return .health
        case .metrics:
            try end(verb, &arguments)
            return .metrics
        case .reload:
            try end(verb, &arguments)
            return .reload
        case .info:
            guard let section = try optional(verb, &arguments) else { return .info(section: "") }
            return .info(section: String(decoding: section.map(RequestDecoder.lowercased), as: UTF8.self))
        case .ping:
            return .ping(try optional(verb, &arguments).map { Array($0) })
        case .echo:
            return .echo(Array(try only(verb, &arguments)))
        case .quit:
            // Redis ends the connection whatever follows the verb.
            return .quit
        case .reset:
            try end(verb, &arguments)
            return .reset
        case .hello: return .handshake(.hello, try handshake(verb, &arguments))
        case .client: return .handshake(.client, try handshake(verb, &arguments))
        case .command: return .handshake(.command, try handshake(verb, &arguments))
        case .select: return .handshake(.select, try handshake(verb, &arguments))
        case .config: return .handshake(.config, try handshake(verb, &arguments))
        }
    }

    // MARK: How many arguments

    private func required(_ verb: Verb, _ arguments: inout Arguments) throws(ErrorReply) -> UnsafeRawBufferPointer {
        guard let word = arguments.next() else { throw ErrorReply.wrongArguments(verb) }
        return word
    }

    private func end(_ verb: Verb, _ arguments: inout Arguments) throws(ErrorReply) {
        guard arguments.next() == nil else { throw ErrorReply.wrongArguments(verb) }
    }

    private func only(_ verb: Verb, _ arguments: inout Arguments) throws(ErrorReply) -> UnsafeRawBufferPointer {
        let word = try required(verb, &arguments)
        try end(verb, &arguments)
        return word
    }

    private func optional(_ verb: Verb, _ arguments: inout Arguments) throws(ErrorReply) -> UnsafeRawBufferPointer? {
        guard let word = arguments.next() else { return nil }
        try end(verb, &arguments)
        return word
    }

    private func handshake(_ verb: Verb, _ arguments: inout Arguments) throws(ErrorReply) -> [[UInt8]] {
        var words: [[UInt8]] = []
        while let word = arguments.next() {
            guard words.count < WireLimits.handshakeArgumentsMax else {
                throw ErrorReply(
                    .err,
                    "too many arguments for '\(verb.name.lowercased())' command: "
                        + "at most \(WireLimits.handshakeArgumentsMax) allowed")
            }
            words.append(Array(word))
        }
        return words
    }

    // MARK: What they hold

    private func pair(_ verb: Verb, _ arguments: inout Arguments) throws(ErrorReply) -> Pair {
        let userWord = try required(verb, &arguments)
        let itemWord = try required(verb, &arguments)
        try end(verb, &arguments)
        return Pair(user: try user(userWord), item: try item(itemWord))
    }

    private func user(_ word: UnsafeRawBufferPointer) throws(ErrorReply) -> Int64 {
        guard let user = Decimal.parse(word) else {
            throw ErrorReply(
                .err,
                "bad user \(Quoting.quoted(word)): a decimal number from 0 to \(Int64.max)"
                    + ErrorReply.length(of: word))
        }
        return user
    }

    private func item(_ word: UnsafeRawBufferPointer) throws(ErrorReply) -> Item {
        guard let colon = word.firstIndex(of: UInt8(ascii: ":")) else { throw ErrorReply.badItem(word) }
        let name = UnsafeRawBufferPointer(rebasing: word[..<colon])
        guard let type = types.index(of: name) else {
            guard !name.isEmpty else { throw ErrorReply.badItem(word) }
            throw ErrorReply(
                .err,
                "unknown item type \(Quoting.quoted(name)): allowed are \(types.names.joined(separator: ", "))")
        }
        guard let id = Decimal.parse(UnsafeRawBufferPointer(rebasing: word[(colon + 1)...])) else {
            let id = UnsafeRawBufferPointer(rebasing: word[(colon + 1)...])
            throw ErrorReply.badItem(word, also: ErrorReply.length(of: id))
        }
        return Item(type: type, id: id)
    }

    /// The remaining words, 1 … `WireLimits.itemsPerRequestMax` items. `isOption`: the word is none, and the last.
    private func items(
        _ verb: Verb, _ arguments: inout Arguments, isOption: (UnsafeRawBufferPointer) -> Bool = { _ in false }
    ) throws(ErrorReply) -> [Item] {
        var items: [Item] = []
        items.reserveCapacity(min(arguments.countMax, WireLimits.itemsPerRequestMax))
        while let word = arguments.next() {
            if isOption(word) {
                try end(verb, &arguments)
                break
            }
            guard items.count < WireLimits.itemsPerRequestMax else {
                throw ErrorReply(
                    .err,
                    "too many items for '\(verb.name.lowercased())' command: "
                        + "1 to \(WireLimits.itemsPerRequestMax) allowed, ask in parts")
            }
            items.append(try item(word))
        }
        guard !items.isEmpty else { throw ErrorReply.wrongArguments(verb) }
        return items
    }

    /// `[AFTER …] [LIMIT n]`, in any order.
    private func page(
        _ verb: Verb, _ arguments: inout Arguments
    ) throws(ErrorReply) -> (after: UnsafeRawBufferPointer?, limit: Int) {
        var after: UnsafeRawBufferPointer?
        var limit: Int?
        while let word = arguments.next() {
            if after == nil, RequestDecoder.isKeyword(word, "AFTER") {
                after = try required(verb, &arguments)
            } else if limit == nil, RequestDecoder.isKeyword(word, "LIMIT") {
                limit = try pageLimit(try required(verb, &arguments))
            } else {
                throw ErrorReply.wrongArguments(verb)
            }
        }
        return (after, limit ?? WireLimits.pageItems)
    }

    private func pageLimit(_ word: UnsafeRawBufferPointer) throws(ErrorReply) -> Int {
        let range = 1...Int64(WireLimits.itemsPerRequestMax)
        guard let limit = Decimal.parse(word), range.contains(limit) else {
            throw ErrorReply(
                .err, "bad limit \(Quoting.quoted(word)): a number from 1 to \(WireLimits.itemsPerRequestMax)")
        }
        return Int(limit)
    }

    /// Whether the word is the keyword, which is in upper case, in either case.
    private static func isKeyword(_ word: UnsafeRawBufferPointer, _ keyword: StaticString) -> Bool {
        word.count == keyword.utf8CodeUnitCount
            && word.indices.allSatisfy { word[$0] & 0xDF == keyword.utf8Start[$0] }
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }

    /// Redis' words up to the comma: client libraries use them to tell a missing command from a failing one.
    private static func unknownCommand(_ name: UnsafeRawBufferPointer) -> ErrorReply {
        ErrorReply(.err, "unknown command \(Quoting.quoted(name)), try \(suggestions)")
    }

    /// Verbs that everybody may use and that only likesd has, not Redis.
    private static let suggestions = {
        let names = Verb.allCases.filter { verb in
            let description = verb.description
            return [.likes, .daemon].contains(description.section) && !description.flags.contains(.admin)
        }.map(\.name)
        return names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "")
    }()
}

extension ErrorReply {
    fileprivate static func badItem(_ word: UnsafeRawBufferPointer, also rule: String = "") -> ErrorReply {
        ErrorReply(
            .err,
            "bad item \(Quoting.quoted(word)): write type:id, as in post:456, with an id from 0 to \(Int64.max)\(rule)")
    }

    /// The rule on the length of a number, for one that breaks it: leading zeros alone may make it too long.
    fileprivate static func length(of number: UnsafeRawBufferPointer) -> String {
        number.count > WireLimits.numberBytesMax ? ", in at most \(WireLimits.numberBytesMax) digits" : ""
    }

    /// Redis' words up to the colon, then how the command is written.
    package static func wrongArguments(_ verb: Verb) -> ErrorReply {
        let parameters = verb.description.parameters
        let usage = parameters.isEmpty ? verb.name : verb.name + " " + parameters
        return ErrorReply(.err, "wrong number of arguments for '\(verb.name.lowercased())' command: \(usage)")
    }
}
