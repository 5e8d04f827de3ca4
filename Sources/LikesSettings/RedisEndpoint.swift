/// Where Redis is, from `REDIS_URL`.
package struct RedisEndpoint: Equatable, Sendable {
    package enum Address: Equatable, Sendable {
        case tcp(host: String, port: Int)
        case unix(path: String)
    }
    package var address: Address
    package var username: String?
    package var password: String?
    /// For SELECT; 0 or more.
    package var database: Int

    package init(address: Address, username: String?, password: String?, database: Int) {
        self.address = address
        self.username = username
        self.password = password
        self.database = database
    }

    /// The endpoint as a URL, the password masked.
    package var maskedURL: String {
        var user = username.map { ConfigurationText.percentEncoded($0) } ?? ""
        if password != nil { user += ":***" }
        if !user.isEmpty { user += "@" }
        switch address {
        case .tcp(let host, let port):
            let name = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : ConfigurationText.percentEncoded(host)
            return "redis://\(user)\(name):\(port)/\(database)"
        case .unix(let path):
            return "unix://\(user)\(ConfigurationText.percentEncoded(path, keeping: "/"))?db=\(database)"
        }
    }
}

extension RedisEndpoint {
    /// Redis' reply to AUTH, without the password: for an unknown or renamed command, Redis repeats the beginning of
    /// the arguments.
    package func redacted(_ message: String) -> String {
        let end = message.firstRange(of: ", with args beginning with")?.lowerBound ?? message.endIndex
        let said = message[..<end]
        guard let password else { return String(said) }
        return said.split(separator: password, omittingEmptySubsequences: false).joined(separator: "***")
    }

    private static let form = "redis://[[user]:password@]host[:port][/db], or unix://[[user]:password@]/path[?db=0]"

    /// Accepts `redis://…` and `unix://…` as Redis clients do.
    ///
    /// Errors name parts of the form, never parts of the value, which may contain a password.
    init(url: String) throws(RefusedValue) {
        guard let colon = url.firstRange(of: "://") else { throw RefusedValue(rule: Self.form) }
        let (body, query) = Self.parted(url[colon.upperBound...], at: "?")
        switch url[..<colon.lowerBound].lowercased() {
        case "redis": try self.init(tcp: body)
        case "unix", "redis+unix", "redis-socket": try self.init(unix: body)
        case "rediss":
            throw RefusedValue(
                rule: "rediss:// needs TLS, which likesd does not speak: put a local TLS tunnel such as stunnel "
                    + "in front of Redis and name its address with redis://")
        default: throw RefusedValue(rule: Self.form)
        }
        try take(query: query ?? "")
        // An empty password counts as none: nobody means to send AUTH with it.
        if password?.isEmpty == true { password = nil }
        if username?.isEmpty == true { username = nil }
        if username != nil, password == nil {
            throw RefusedValue(rule: "a user needs a password: \(Self.form)")
        }
    }

    private init(tcp body: Substring) throws(RefusedValue) {
        let (authority, path) = Self.parted(body, at: "/")
        let at = authority.lastIndex(of: "@")
        let hostAndPort = at.map { authority[authority.index(after: $0)...] } ?? authority
        let (host, port) = try Self.hostAndPort(hostAndPort)
        self.init(address: .tcp(host: host, port: port), username: nil, password: nil, database: 0)
        if let at { try take(credentials: authority[..<at]) }
        if let path, !path.isEmpty { database = try Self.database(path) }
    }

    private init(unix body: Substring) throws(RefusedValue) {
        var path = body
        var credentials: Substring?
        if !body.hasPrefix("/"), let at = body.firstRange(of: "@/") {
            credentials = body[..<at.lowerBound]
            path = body[body.index(after: at.lowerBound)...]
        }
        guard path.hasPrefix("/"), let decoded = ConfigurationText.percentDecoded(path) else {
            throw RefusedValue(rule: "the socket's path has to start with a slash: \(Self.form)")
        }
        guard decoded.utf8.count <= ConfigurationLimits.socketPathBytesMax else {
            throw RefusedValue(
                rule: "a socket's path has at most \(ConfigurationLimits.socketPathBytesMax) bytes")
        }
        guard !SecretWords.stand(in: path) else {
            throw RefusedValue(rule: "the socket's path looks like several words: \(Self.form)")
        }
        self.init(address: .unix(path: decoded), username: nil, password: nil, database: 0)
        if let credentials { try take(credentials: credentials) }
    }

    private mutating func take(credentials: Substring) throws(RefusedValue) {
        let (user, secret) = Self.parted(credentials, at: ":")
        username = try Self.decoded(user)
        password = try Self.decoded(secret ?? "")
    }

    private mutating func take(query: Substring) throws(RefusedValue) {
        for pair in query.split(separator: "&") {
            let (name, value) = Self.parted(pair, at: "=")
            switch name {
            case "db": database = try Self.database(value ?? "")
            case "password": password = try Self.decoded(value ?? "")
            case "username": username = try Self.decoded(value ?? "")
            default: throw RefusedValue(rule: "only db, username and password may follow the '?': \(Self.form)")
            }
        }
    }

    private static func hostAndPort(_ text: Substring) throws(RefusedValue) -> (host: String, port: Int) {
        var host = text
        var port: Substring?
        if text.hasPrefix("[") {
            guard let bracket = text.firstIndex(of: "]") else {
                throw RefusedValue(rule: "the ] behind the IPv6 address is missing: \(Self.form)")
            }
            host = text[text.index(after: text.startIndex)..<bracket]
            let rest = text[text.index(after: bracket)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw RefusedValue(rule: Self.form) }
            port = rest.isEmpty ? nil : rest.dropFirst()
        } else {
            (host, port) = parted(text, at: ":")
        }
        guard let name = ConfigurationText.percentDecoded(host) else {
            throw RefusedValue(rule: "the host is wrongly percent-encoded: \(Self.form)")
        }
        guard !SecretWords.stand(in: host) else {
            throw RefusedValue(rule: "the host looks like several words: \(Self.form)")
        }
        guard let port, !port.isEmpty else { return (name.isEmpty ? "localhost" : name, 6379) }
        guard let number = ConfigurationText.number(port, in: ConfigurationLimits.port) else {
            throw RefusedValue(
                rule: "the port has to be a number from 1 to 65535 (a / ? # in the password is written "
                    + "%2F %3F %23): \(Self.form)")
        }
        return (name.isEmpty ? "localhost" : name, Int(number))
    }

    private static func database(_ text: Substring) throws(RefusedValue) -> Int {
        guard let number = ConfigurationText.number(text, in: ConfigurationLimits.redisDatabase) else {
            throw RefusedValue(rule: "the database has to be a number, 0 or more: \(Self.form)")
        }
        return Int(number)
    }

    private static func decoded(_ text: Substring) throws(RefusedValue) -> String {
        guard let decoded = ConfigurationText.percentDecoded(text) else {
            throw RefusedValue(rule: "the user or password is wrongly percent-encoded: write a % as %25")
        }
        return decoded
    }

    /// The text before and behind the first `separator`; nil if there is none.
    private static func parted(_ text: Substring, at separator: Character) -> (Substring, Substring?) {
        guard let place = text.firstIndex(of: separator) else { return (text, nil) }
        return (text[..<place], text[text.index(after: place)...])
    }
}
