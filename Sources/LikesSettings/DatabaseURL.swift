import LikesProtocol

/// A checked connection string for libpq: a URI or `name=value` pairs.
///
/// libpq decides what it means. This type checks for what libpq would silently misread (a password with a raw `@`), and
/// finds the secrets, so that they can be masked.
package struct DatabaseURL: Equatable, Sendable {
    /// As libpq gets it.
    package let text: String

    private static let form = """
        a libpq URI as in postgresql://user:password@host:5432/likes, \
        or pairs as in host=/run/postgresql dbname=likes
        """
    /// The names whose values may be shown. None of libpq's words for a secret, and none that may contain one, as
    /// `options` may. Misspelt words, and those of a later libpq, are not among them.
    private static let harmlessNames: Set<String> = [
        "host", "hostaddr", "port", "dbname", "user", "connect_timeout", "application_name",
        "fallback_application_name", "client_encoding", "keepalives", "keepalives_idle", "keepalives_interval",
        "keepalives_count", "tcp_user_timeout", "target_session_attrs", "load_balance_hosts", "sslmode",
        "sslnegotiation", "sslcompression", "ssl", "requiressl", "sslcertmode", "sslkeylogfile", "sslcert", "sslkey",
        "sslrootcert", "sslcrl", "sslcrldir", "sslsni",
        "ssl_min_protocol_version", "ssl_max_protocol_version", "requirepeer", "require_auth", "channel_binding",
        "gssencmode", "gssdelegation", "krbsrvname", "gsslib", "passfile", "service", "replication",
        "min_protocol_version", "max_protocol_version", "oauth_issuer", "oauth_client_id", "oauth_scope",
    ]

    private static let secretNames: Set<String> = ["password", "sslpassword", "options"]

    /// Checks a connection string. SQLAlchemy's `postgresql+asyncpg://` becomes `postgresql://`: the part behind the
    /// plus names a Python driver. No error repeats a part of the value, which may contain a password.
    init(_ value: String) throws(RefusedValue) {
        guard !value.utf8.contains(0) else { throw RefusedValue(rule: Self.form) }
        if let scheme = Self.scheme(of: value) {
            guard let known = Self.libpqScheme(scheme) else { throw RefusedValue(rule: Self.form) }
            text = known + value[scheme.endIndex...]
            try Self.checkURI(text)
        } else {
            text = value
            guard let pairs = Self.conninfoPairs(value), !pairs.isEmpty else { throw RefusedValue(rule: Self.form) }
        }
    }

    /// The connection string with `***` for each value that may be a secret, and for each name unknown to libpq, which
    /// may be what follows a blank or an & in a password.
    package static func masked(_ text: String) -> String {
        var shown = ""
        var place = text.startIndex
        for secret in secretRanges(in: text, withNames: true) {
            shown += text[place..<secret.lowerBound] + "***"
            place = secret.upperBound
        }
        return shown + text[place...]
    }

    /// `message`, a library's words about the connection string `text`, with `***` for each such value that it repeats.
    package static func redacted(_ message: String, about text: String) -> String {
        var shown = message
        for range in secretRanges(in: text) {
            let secret = text[range]
            for form in [String(secret), ConfigurationText.percentDecoded(secret) ?? "", unescaped(secret)]
            where !form.isEmpty {
                shown = shown.split(separator: form, omittingEmptySubsequences: false).joined(separator: "***")
            }
        }
        return shown
    }

    /// libpq's words about a connection string that it cannot read, without its quotations, which may be parts of a
    /// password. Names that libpq knows are kept, and so are single marks.
    package static func unquoted(_ message: String, about text: String) -> String {
        let words = redacted(message, about: text).split(whereSeparator: \.isNewline).joined(separator: "; ")
        let parts = words.split(separator: "\"", omittingEmptySubsequences: false)
        // If a quotation contains such marks itself, nobody knows where it ends.
        let isClear = parts.count % 2 == 1 && !(ConfigurationText.percentDecoded(text) ?? text).contains("\"")
        guard parts.count > 1, isClear else {
            return parts.count < 3 ? String(parts[0]) : "\(parts[0])\"***\"\(parts[parts.count - 1])"
        }
        var isHidden = false
        let shown = parts.enumerated().map { place, part in
            let isMark = part.utf8.count == 1 && !(part.first.map { $0.isLetter || $0.isNumber } ?? false)
            if place % 2 == 0 || isMark || isKnown(String(part)) { return String(part) }
            isHidden = true
            return "***"
        }.joined(separator: "\"")
        return isHidden ? "\(shown) (in a value, a blank is written in '…' or as %20, an & as %26)" : shown
    }

    /// For require_auth, "password" is a valid value.
    private static func isShown(_ name: String, _ value: Substring) -> Bool {
        guard harmlessNames.contains(name) else { return false }
        guard name == "require_auth" else { return !SecretWords.mayStand(in: value) }
        return value.split(separator: ",").allSatisfy { authMethods.contains($0.drop { $0 == "!" }) }
    }

    /// Of libpq up to version 18.
    private static let authMethods: Set<Substring> = [
        "password", "md5", "gss", "sspi", "scram-sha-256", "oauth", "none",
    ]

    private static func isKnown(_ name: String) -> Bool { harmlessNames.contains(name) || secretNames.contains(name) }

    /// Splits a list of URIs at commas and blanks. Those within a URI, as between several hosts, do not split it.
    static func split(list: String) -> [String] {
        var urls: [String] = []
        for part in list.split(separator: ",", omittingEmptySubsequences: list.isEmpty) {
            var words = wordsWithSchemes(part)
            let first = String(ConfigurationText.trimmed(words.removeFirst()))
            if let last = urls.last, scheme(of: first) == nil {
                // A comma too many says nothing.
                if !first.isEmpty { urls[urls.count - 1] = last + "," + first }
            } else if !first.isEmpty || list.isEmpty {
                urls.append(first)
            }
            urls += words.map { String(ConfigurationText.trimmed($0)) }
        }
        return urls
    }

    /// The text cut at each blank that a scheme follows. The first part may have none.
    private static func wordsWithSchemes(_ text: Substring) -> [Substring] {
        var words: [Substring] = []
        var (start, place) = (text.startIndex, text.startIndex)
        while let blank = text[place...].unicodeScalars.firstIndex(where: ConfigurationText.isBlank) {
            place = text.unicodeScalars.index(after: blank)
            guard scheme(of: String(text[place...])) != nil, !ConfigurationText.trimmed(text[start..<blank]).isEmpty
            else { continue }
            words.append(text[start..<blank])
            start = place
        }
        return words + [text[start...]]
    }

    // MARK: Schemes

    private static func scheme(of text: String) -> Substring? {
        guard let end = text.firstRange(of: "://") else { return nil }
        let scheme = text[..<end.lowerBound]
        let isScheme = scheme.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        return isScheme ? scheme : nil
    }

    private static func libpqScheme(_ scheme: Substring) -> String? {
        let name = scheme.split(separator: "+", maxSplits: 1, omittingEmptySubsequences: false)[0]
        return name == "postgresql" || name == "postgres" ? String(name) : nil
    }

    // MARK: URIs

    /// A URI's parts, split as libpq splits them.
    private struct URIParts {
        var user: Substring
        var password: Substring?
        var hosts: Substring
        var path: Substring
        var query: Substring
    }

    /// Works on scalars, as libpq works on bytes: Swift takes a colon and a combining mark behind it for one character.
    private static func uriParts(_ text: String) -> URIParts {
        var rest = text[(text.firstRange(of: "://")?.upperBound ?? text.startIndex)...].unicodeScalars
        var user = rest.prefix(0)
        var password: Substring.UnicodeScalarView?
        if let stop = rest.firstIndex(where: { $0 == "@" || $0 == "/" }), rest[stop] == "@" {
            user = rest[..<stop]
            if let colon = user.firstIndex(of: ":") {
                password = user[user.index(after: colon)...]
                user = user[..<colon]
            }
            rest = rest[rest.index(after: stop)...]
        }
        let hostsEnd = rest.firstIndex(where: { $0 == "/" || $0 == "?" }) ?? rest.endIndex
        let pathEnd = rest[hostsEnd...].firstIndex(of: "?") ?? rest.endIndex
        return URIParts(
            user: Substring(user), password: password.map { Substring($0) }, hosts: Substring(rest[..<hostsEnd]),
            path: Substring(rest[hostsEnd..<pathEnd]), query: Substring(rest[pathEnd...].dropFirst()))
    }

    private static func checkURI(_ text: String) throws(RefusedValue) {
        let parts = uriParts(text)
        guard ConfigurationText.percentDecodedBytes(text) != nil else {
            throw RefusedValue(rule: "a % has to be followed by two hex digits (a % in the password is written %25)")
        }
        // Otherwise an @ in the query's password would turn everything before it into a user name, which is not masked.
        guard !parts.user.unicodeScalars.contains("?") else {
            throw RefusedValue(rule: "an @ in the password behind the '?' is written %40, a ? in the user %3F")
        }
        guard !parts.hosts.contains("@"), !parts.path.contains("@") else {
            throw RefusedValue(rule: "an @ or / in the user or password is written %40 or %2F")
        }
        for host in parts.hosts.split(separator: ",", omittingEmptySubsequences: false) {
            let behindAddress = host.hasPrefix("[") ? host.firstIndex(of: "]").map { host[$0...] } ?? "" : host
            guard let colon = behindAddress.firstIndex(of: ":") else { continue }
            let port = behindAddress[behindAddress.index(after: colon)...]
            guard port.isEmpty || ConfigurationText.number(port, in: ConfigurationLimits.port) != nil else {
                throw RefusedValue(
                    rule: "a port has to be a number from 1 to 65535 (a / in the password is written %2F)")
            }
        }
        for pair in parts.query.split(separator: "&", omittingEmptySubsequences: parts.query.isEmpty) {
            guard pair.contains("=") else { throw RefusedValue(rule: "name=value pairs must follow the '?'") }
        }
    }

    // MARK: Secrets

    /// Reports a server, a database or a role whose name is really a list of words or a URL: libpq would accept it, and
    /// messages would show it. nil: `value` is plausible for `keyword`.
    package static func misreading(of keyword: String, _ value: String) -> String? {
        guard harmlessNames.contains(keyword) else { return nil }
        let isName = ["host", "hostaddr", "port", "dbname", "user", "service"].contains(keyword)
        // A client's own name may hold anything but a secret.
        let isKeyword = keyword == "application_name" ? { secretNames.contains($0) } : isKnown
        let parts = value.split(separator: ",")
        // A socket in the abstract namespace begins with @, and the hosts beside it may contain a colon.
        let isStanding =
            parts.contains { $0.hasPrefix("@") }
            ? parts.contains { SecretWords.stand(in: $0) } : SecretWords.stand(in: value[...])
        let isMisread =
            SecretWords.haveKeyword(value, isKeyword) || isName && isStanding
            || keyword == "user" && value.contains(":")
        guard isMisread else { return nil }
        return "the value of \(keyword) looks like further settings or a URL, which may hold a password "
            + "(only ASCII blanks separate settings)"
    }

    /// The places of values that may be secrets, in order; all of it if it is not a connection string. `withNames`:
    /// includes names that libpq does not know.
    private static func secretRanges(in text: String, withNames: Bool = false) -> [Range<String.Index>] {
        func begin(_ name: Substring, _ value: Substring.Index) -> Substring.Index {
            withNames && !isKnown(ConfigurationText.percentDecoded(name) ?? "") ? name.startIndex : value
        }
        guard scheme(of: text) != nil else {
            guard let pairs = conninfoPairs(text) else { return [text.startIndex..<text.endIndex] }
            return pairs.filter { !isShown(String($0.name), $0.value) }
                .map { begin($0.name, $0.value.startIndex)..<$0.value.endIndex }
        }
        let parts = uriParts(text)
        var ranges: [Range<String.Index>] = []
        func hide(_ part: Substring) {
            if SecretWords.mayStand(in: part) { ranges.append(part.startIndex..<part.endIndex) }
        }
        if ConfigurationText.percentDecoded(parts.user)?.contains(":") ?? true {
            ranges.append(parts.user.startIndex..<parts.user.endIndex)
        } else {
            hide(parts.user)
        }
        if let password = parts.password { ranges.append(password.startIndex..<password.endIndex) }
        hide(parts.hosts)
        hide(parts.path.dropFirst())
        for pair in parts.query.unicodeScalars.split(separator: "&") {
            guard let equals = pair.firstIndex(of: "=") else {
                ranges.append(pair.startIndex..<pair.endIndex)
                continue
            }
            let value = Substring(pair[pair.index(after: equals)...])
            if let name = ConfigurationText.percentDecoded(Substring(pair[..<equals])), harmlessNames.contains(name) {
                if !isShown(name, value) { ranges.append(value.startIndex..<value.endIndex) }
                continue
            }
            ranges.append(begin(Substring(pair[..<equals]), pair.index(after: equals))..<pair.endIndex)
        }
        return ranges
    }

    // MARK: Pairs

    /// libpq's isspace(3), in the C locale that likesd never leaves. Other blanks, such as those of web pages, separate
    /// nothing.
    private static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
        scalar == " " || (0x09...0x0D).contains(scalar.value)
    }

    /// One `name = value`; the value as written, with quotes and backslashes.
    private struct Pair {
        var name: Substring
        var value: Substring
    }

    /// A value as libpq takes it: without surrounding quotes and backslashes.
    private static func unescaped(_ value: Substring) -> String {
        var rest = value.unicodeScalars
        if rest.first == "'", rest.last == "'" { rest = rest.dropFirst().dropLast() }
        var text = String.UnicodeScalarView()
        while let scalar = rest.popFirst() {
            if let taken = scalar == "\\" ? rest.popFirst() : scalar { text.append(taken) }
        }
        return String(text)
    }

    /// The pairs of a conninfo string; nil if it isn't one.
    private static func conninfoPairs(_ text: String) -> [Pair]? {
        let scalars = text.unicodeScalars
        var pairs: [Pair] = []
        var place = scalars.startIndex
        func skipBlanks() {
            while place < scalars.endIndex, isBlank(scalars[place]) {
                place = scalars.index(after: place)
            }
        }
        while true {
            skipBlanks()
            guard place < scalars.endIndex else { return pairs }
            let nameStart = place
            while place < scalars.endIndex, scalars[place] != "=", !isBlank(scalars[place]) {
                place = scalars.index(after: place)
            }
            let name = text[nameStart..<place]
            skipBlanks()
            guard !name.isEmpty, place < scalars.endIndex, scalars[place] == "=" else { return nil }
            place = scalars.index(after: place)
            skipBlanks()
            let valueStart = place
            let isQuoted = place < scalars.endIndex && scalars[place] == "'"
            if isQuoted { place = scalars.index(after: place) }
            var isClosed = !isQuoted
            while place < scalars.endIndex {
                let scalar = scalars[place]
                if !isQuoted, isBlank(scalar) { break }
                place = scalars.index(after: place)
                if scalar == "\\" {
                    if place < scalars.endIndex { place = scalars.index(after: place) }
                } else if isQuoted, scalar == "'" {
                    isClosed = true
                    break
                }
            }
            guard isClosed else { return nil }
            pairs.append(Pair(name: name, value: text[valueStart..<place]))
        }
    }
}
