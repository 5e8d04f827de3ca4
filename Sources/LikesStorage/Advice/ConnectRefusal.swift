import LikesProtocol
import LikesSettings

/// What libpq said about a failed attempt to connect, taken apart.
///
/// libpq's interface gives no SQLSTATE for it, only a text for people. With PQERRORS_VERBOSE the text contains the code
/// and the place in the server's source, which are the same in every language of the server. Without them only its
/// words are left.
package struct ConnectRefusal: Equatable, Sendable {
    /// The reason, as far as it can be told.
    package enum Reason: Equatable, Sendable, CaseIterable {
        /// Nothing answers there.
        case noServer
        case serverStarting
        case tooManyConnections
        case noRole
        case roleMayNotLogIn
        case wrongPassword
        case noPassword
        /// The system user is not the one that the role belongs to (peer, ident, certificates).
        case otherIdentity
        /// pg_hba.conf has no line for it, or one that rejects it.
        case notLetIn
        case noDatabase
        case noPermission
        case unclear
    }

    package let reason: Reason
    /// One line, without libpq's guesses and places in the server's source.
    package let text: String

    /// Bytes of libpq's message that are read: it repeats whatever the server says.
    package static let messageBytesMax = 8 * 1024

    /// `message`: as PQerrorMessage gives it, about one server or about several that were tried in turn.
    package init(_ message: String) {
        var said: [Substring] = []
        var code: Substring?
        var function: Substring?
        // Split by scalars: Swift takes CR LF for one character.
        for line in message.unicodeScalars.split(whereSeparator: { $0 == "\n" || $0 == "\r" }).map({ Substring($0) }) {
            // Lines that begin with a tab only guess at the reason.
            guard !line.hasPrefix("\t") else { continue }
            if line.hasPrefix(Self.locationLabel) {
                // Of several servers, the first that answered needs attention.
                if code != nil, function == nil { function = Self.function(in: line) }
                continue
            }
            said.append(line)
            code = code ?? Self.code(in: line)
        }
        let whole = said.isEmpty ? "the connection was closed" : said.joined(separator: "; ")
        text = ForeignText.shown(whole)
        let words = Self.reason(ofWords: whole)
        reason =
            switch code {
            case nil: words
            case "28P01": .wrongPassword
            case "28000": Self.reason(ofRefusalIn: function, orWords: words)
            case "3D000": .noDatabase
            case "42501": .noPermission
            case "53300", "53400": .tooManyConnections
            case "57P03": .serverStarting
            default: .unclear
            }
    }

    /// libpq's own word. It stays untranslated in a program that does not ask for translation.
    private static let locationLabel = "LOCATION:"

    /// `… FATAL:  3D000: database "likes" does not exist`: the code follows the severity and two blanks.
    private static func code(in line: Substring) -> Substring? {
        guard let place = line.firstRange(of: ":  ")?.upperBound else { return nil }
        let code = line[place...].prefix(5)
        let isCode = code.utf8.allSatisfy { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
        }
        return isCode && code.utf8.count == 5 && line[code.endIndex...].hasPrefix(": ") ? code : nil
    }

    /// `LOCATION:  InitializeSessionUserId, miscinit.c:768`
    private static func function(in line: Substring) -> Substring {
        ConfigurationText.trimmed(line.dropFirst(locationLabel.count)).prefix { $0 != "," }
    }

    /// 28000 stands for several refusals. The server's function tells them apart in every language.
    private static func reason(ofRefusalIn function: Substring?, orWords words: Reason) -> Reason {
        switch function {
        case "InitializeSessionUserId", "InitializeSessionUserIdStandalone":
            words == .roleMayNotLogIn ? .roleMayNotLogIn : .noRole
        case "ClientAuthentication": .notLetIn
        case "auth_failed": .otherIdentity
        default: words
        }
    }

    private static func reason(ofWords text: String) -> Reason {
        func says(_ words: String...) -> Bool { words.contains { text.contains($0) } }
        if says("no password supplied") { return .noPassword }
        if says("password authentication failed") { return .wrongPassword }
        if says("pg_hba.conf") { return .notLetIn }
        if says("authentication failed for user") { return .otherIdentity }
        if says("is not permitted to log in") { return .roleMayNotLogIn }
        if says("permission denied for database") { return .noPermission }
        if text.contains("does not exist") {
            if says("role \"") { return .noRole }
            if says("database \"") { return .noDatabase }
        }
        if says("the database system is starting up", "is not yet accepting connections") { return .serverStarting }
        if says("too many clients", "too many connections", "remaining connection slots") { return .tooManyConnections }
        let unanswered = [
            "Connection refused", "No such file or directory", "timeout expired", "Connection timed out",
            "No route to host", "Network is unreachable",
        ]
        if unanswered.contains(where: { text.contains("failed: \($0)") }) || says("could not translate host name") {
            return .noServer
        }
        return .unclear
    }
}
