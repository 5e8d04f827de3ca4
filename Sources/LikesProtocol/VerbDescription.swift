/// What one verb takes, answers and means. COMMAND's replies, the words of errors, likesd-protocol(7) and
/// docs/protocol.md all come from it.
package struct VerbDescription: Sendable {
    /// Where the documents list a verb.
    package enum Section: String, CaseIterable, Sendable {
        case likes, daemon, connection, handshake
    }

    /// Redis' own groups: redis-cli sorts its help by them and knows no others.
    package enum Group: String, Sendable {
        case generic, server, connection
    }

    /// Redis' flags, as COMMAND gives them.
    package enum Flag: String, Sendable {
        case admin, fast, loading, noscript, readonly, stale, write
    }

    /// One argument.
    package struct Argument: Equatable, Sendable {
        /// The types of arguments that COMMAND DOCS knows.
        package enum Kind: String, Sendable {
            case integer, string
            /// The token alone.
            case token = "pure-token"
        }
        package let name: String
        package let kind: Kind
        /// The word that it is, or that comes before it.
        package let token: String?
        package let isOptional: Bool
        package let isRepeated: Bool

        init(
            _ name: String, _ kind: Kind = .string, token: String? = nil, isOptional: Bool = false,
            isRepeated: Bool = false
        ) {
            self.name = name
            self.kind = kind
            self.token = token
            self.isOptional = isOptional
            self.isRepeated = isRepeated
        }

        /// As the usage shows it.
        fileprivate var usage: String {
            let word = [token, kind == .token ? nil : name].compactMap { $0 }.joined(separator: " ")
            return switch (isOptional, isRepeated) {
            case (false, false): word
            case (false, true): "\(word) [\(word) ...]"
            case (true, false): "[\(word)]"
            case (true, true): "[\(word) ...]"
            }
        }
    }

    /// One way to write the request, and its reply. In a reply, backquotes surround what is written exactly so,
    /// asterisks surround names of values; `␍␊` is CR LF.
    package struct Form: Equatable, Sendable {
        package let request: String
        package let reply: String

        init(_ request: String, _ reply: String) {
            self.request = request
            self.reply = reply
        }
    }

    package let section: Section
    package let group: Group
    /// One sentence for COMMAND DOCS.
    package let summary: String
    /// The version of likesd that brought it.
    package let since: String
    package let flags: [Flag]
    package let arguments: [Argument]
    /// What follows the verb, as error messages and documents show it.
    package let parameters: String
    /// How many words COMMAND says it takes, including the verb; negative: at least that many.
    package let arity: Int64
    package let forms: [Form]

    /// - Parameters:
    ///   - parameters: where the arguments alone do not say it.
    ///   - ignoresArguments: any number of them may follow.
    init(
        _ section: Section, _ group: Group, _ summary: String, since: String, flags: [Flag], arguments: [Argument] = [],
        parameters: String? = nil, ignoresArguments: Bool = false, forms: [Form]
    ) {
        self.section = section
        self.group = group
        self.summary = summary
        self.since = since
        self.flags = flags
        self.arguments = arguments
        self.parameters = parameters ?? arguments.map(\.usage).joined(separator: " ")
        let wordsMin = Int64(1 + arguments.count { !$0.isOptional })
        let isExact = !ignoresArguments && arguments.allSatisfy { !$0.isOptional && !$0.isRepeated }
        arity = isExact ? wordsMin : -wordsMin
        self.forms = forms
    }
}
