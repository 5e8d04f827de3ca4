/// Where Redis is, from `REDIS_URL`.
package struct RedisEndpoint: Equatable, Sendable {
    /// A server's place.
    package enum Address: Hashable, Sendable {
        case tcp(host: String, port: Int)
        case unix(path: String)

        /// For people.
        package var name: String {
            switch self {
            case .tcp(let host, let port):
                host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
            case .unix(let path): path
            }
        }

        /// As a URL holds it.
        var urlText: String {
            switch self {
            case .tcp(let host, let port):
                let isIPv6 = host.utf8.contains(UInt8(ascii: ":"))
                return "\(isIPv6 ? "[\(host)]" : ConfigurationText.percentEncoded(host)):\(port)"
            case .unix(let path): return ConfigurationText.percentEncoded(path, keeping: "/")
            }
        }
    }

    /// How the server to use is found.
    package enum Topology: Equatable, Sendable {
        /// Always the same one.
        case server(Address)
        /// The primary that these Sentinels name.
        case sentinels(RedisSentinels)
        /// A Redis Cluster. Any of these nodes names all of them.
        case cluster([Address])
    }

    package var topology: Topology
    /// For the Redis server.
    package var credentials: RedisCredentials
    /// For SELECT; 0 or more.
    package var database: Int

    package init(topology: Topology, credentials: RedisCredentials = RedisCredentials(), database: Int = 0) {
        self.topology = topology
        self.credentials = credentials
        self.database = database
    }

    /// Whether the URL holds a password of any kind.
    package var hasPassword: Bool {
        guard credentials.password == nil else { return true }
        return switch topology {
        case .server, .cluster: false
        case .sentinels(let sentinels): sentinels.credentials.password != nil
        }
    }

    /// The endpoint as a URL, its passwords masked.
    package var maskedURL: String {
        let user = credentials.maskedPrefix
        switch topology {
        case .server(.unix(let path)): return "unix://\(user)\(Address.unix(path: path).urlText)?db=\(database)"
        case .server(let address): return "redis://\(user)\(address.urlText)/\(database)"
        case .cluster(let nodes):
            return "redis://\(user)\(nodes.map(\.urlText).joined(separator: ","))/\(database)"
        case .sentinels(let sentinels):
            let hosts = sentinels.addresses.map(\.urlText).joined(separator: ",")
            return "redis-sentinel://\(user)\(hosts)/\(database)\(sentinels.maskedQuery)"
                + "#\(ConfigurationText.percentEncoded(sentinels.name))"
        }
    }
}

/// Who likesd is to a server.
package struct RedisCredentials: Equatable, Sendable {
    package var username: String?
    package var password: String?

    package init(username: String? = nil, password: String? = nil) {
        self.username = username
        self.password = password
    }

    /// The server's reply to AUTH, without the password: for an unknown or renamed command, Redis repeats the beginning
    /// of the arguments.
    package func redacted(_ message: String) -> String {
        let end = message.firstRange(of: ", with args beginning with")?.lowerBound ?? message.endIndex
        let said = message[..<end]
        guard let password else { return String(said) }
        return said.split(separator: password, omittingEmptySubsequences: false).joined(separator: "***")
    }

    /// In front of the host in a URL.
    fileprivate var maskedPrefix: String {
        var user = username.map { ConfigurationText.percentEncoded($0) } ?? ""
        if password != nil { user += ":***" }
        return user.isEmpty ? "" : user + "@"
    }

    /// An empty password counts as none: nobody means to send AUTH with it.
    func checked(_ form: String) throws(RefusedValue) -> RedisCredentials {
        var kept = self
        if password?.isEmpty == true { kept.password = nil }
        if username?.isEmpty == true { kept.username = nil }
        guard kept.username == nil || kept.password != nil else {
            throw RefusedValue(rule: "a user needs a password: \(form)")
        }
        return kept
    }
}

extension RedisEndpoint {
    private static let form =
        "redis://[[user]:password@]host[:port][,host…][/db], unix://[[user]:password@]/path[?db=0], or "
        + RedisSentinels.form

    /// Accepts `redis://…` and `unix://…` as Redis clients do.
    ///
    /// Errors name parts of the form, never parts of the value, which may contain a password.
    init(url: String) throws(RefusedValue) {
        guard let colon = url.firstRange(of: "://") else { throw RefusedValue(rule: Self.form) }
        let scheme = url[..<colon.lowerBound].lowercased()
        if scheme == "redis-sentinel" {
            try self.init(sentinels: url[colon.upperBound...])
            return
        }
        let (body, query) = Self.parted(url[colon.upperBound...], at: "?")
        switch scheme {
        case "redis": try self.init(tcp: body)
        case "unix", "redis+unix", "redis-socket": try self.init(unix: body)
        case "rediss":
            throw RefusedValue(
                rule: "rediss:// needs TLS, which likesd does not speak: put a local TLS tunnel such as stunnel "
                    + "in front of Redis and name its address with redis://")
        default: throw RefusedValue(rule: Self.form)
        }
        try take(query: query ?? "")
        if case .cluster = topology, database != 0 {
            throw RefusedValue(rule: "a Redis Cluster, which several hosts mean, has database 0 alone: \(Self.form)")
        }
        credentials = try credentials.checked(Self.form)
    }

    private init(tcp body: Substring) throws(RefusedValue) {
        let (authority, path) = Self.parted(body, at: "/")
        let at = authority.lastIndex(of: "@")
        let hostAndPort = at.map { authority[authority.index(after: $0)...] } ?? authority
        let isCluster = hostAndPort.contains(",") && !SecretWords.stand(in: hostAndPort)
        if let at, isCluster ? authority[..<at].contains("@") : Self.areRepeated(authority[..<at]) {
            throw RefusedValue(
                rule: "user and password stand once, in front of all nodes (an @ in them is written %40): "
                    + Self.form)
        }
        if isCluster {
            self.init(topology: .cluster(try Self.nodes(hostAndPort)))
        } else {
            self.init(topology: .server(try Self.address(hostAndPort, port: 6_379, form: Self.form)))
        }
        if let at { credentials = try Self.credentials(authority[..<at]) }
        if let path, !path.isEmpty { database = try Self.database(path) }
    }

    /// Whether what stands in front of the last @ looks like `:password@host,:password`, or like
    /// `user@host:7001,user`, rather than like a password with an @ in it.
    private static func areRepeated(_ text: Substring) -> Bool {
        guard let behind = parted(text, at: "@").1, let comma = behind.firstIndex(of: ",") else { return false }
        let port = parted(behind[..<comma], at: ":").1 ?? ""
        return behind[comma...].contains(":") || ConfigurationText.number(port, in: ConfigurationLimits.port) != nil
    }

    /// Nodes of a Redis Cluster, separated by commas.
    private static func nodes(_ text: Substring) throws(RefusedValue) -> [Address] {
        var nodes: [Address] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let host = ConfigurationText.trimmed(part)
            guard !host.unicodeScalars.contains(where: ConfigurationText.isBlank) else {
                throw RefusedValue(rule: "commas separate the nodes of a Redis Cluster, not blanks: \(form)")
            }
            guard !host.isEmpty, !host.hasPrefix(":") else {
                throw RefusedValue(
                    rule: "a node's host is missing (a / ? # in a password is written %2F %3F %23): \(form)")
            }
            let address = try address(host, port: 6_379, form: form)
            guard !nodes.contains(address) else { throw RefusedValue(rule: "a node is named twice: \(form)") }
            nodes.append(address)
        }
        guard nodes.count <= ConfigurationLimits.redisNodesMax else {
            throw RefusedValue(
                rule: "at most \(ConfigurationLimits.redisNodesMax) nodes, not \(nodes.count): they name the others")
        }
        return nodes
    }

    private init(unix body: Substring) throws(RefusedValue) {
        var path = body
        var user: Substring?
        if !body.hasPrefix("/"), let at = body.firstRange(of: "@/") {
            user = body[..<at.lowerBound]
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
        self.init(topology: .server(.unix(path: decoded)))
        if let user { credentials = try Self.credentials(user) }
    }

    static func credentials(_ text: Substring) throws(RefusedValue) -> RedisCredentials {
        let (user, secret) = parted(text, at: ":")
        return RedisCredentials(username: try decoded(user), password: try decoded(secret ?? ""))
    }

    private mutating func take(query: Substring) throws(RefusedValue) {
        for pair in query.split(separator: "&") {
            let (name, value) = Self.parted(pair, at: "=")
            switch name {
            case "db": database = try Self.database(value ?? "")
            case "password": credentials.password = try Self.decoded(value ?? "")
            case "username": credentials.username = try Self.decoded(value ?? "")
            default: throw RefusedValue(rule: "only db, username and password may follow the '?': \(Self.form)")
            }
        }
    }

    /// `port`: where none is given. `form`: how the URL has to look.
    static func address(_ text: Substring, port defaultPort: Int, form: String) throws(RefusedValue) -> Address {
        var host = text
        var port: Substring?
        if text.hasPrefix("[") {
            guard let bracket = text.firstIndex(of: "]") else {
                throw RefusedValue(rule: "the ] behind the IPv6 address is missing: \(form)")
            }
            host = text[text.index(after: text.startIndex)..<bracket]
            let rest = text[text.index(after: bracket)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw RefusedValue(rule: form) }
            port = rest.isEmpty ? nil : rest.dropFirst()
        } else {
            (host, port) = parted(text, at: ":")
        }
        guard let name = ConfigurationText.percentDecoded(host) else {
            throw RefusedValue(rule: "the host is wrongly percent-encoded: \(form)")
        }
        guard !SecretWords.stand(in: host) else {
            throw RefusedValue(rule: "the host looks like several words: \(form)")
        }
        guard let port, !port.isEmpty else { return .tcp(host: name.isEmpty ? "localhost" : name, port: defaultPort) }
        guard let number = ConfigurationText.number(port, in: ConfigurationLimits.port) else {
            throw RefusedValue(
                rule: "the port has to be a number from 1 to 65535 (a / ? # in the password is written "
                    + "%2F %3F %23): \(form)")
        }
        return .tcp(host: name.isEmpty ? "localhost" : name, port: Int(number))
    }

    static func database(_ text: Substring) throws(RefusedValue) -> Int {
        guard let number = ConfigurationText.number(text, in: ConfigurationLimits.redisDatabase) else {
            throw RefusedValue(rule: "the database has to be a number, 0 or more: \(Self.form)")
        }
        return Int(number)
    }

    static func decoded(_ text: Substring) throws(RefusedValue) -> String {
        guard let decoded = ConfigurationText.percentDecoded(text) else {
            throw RefusedValue(rule: "the user or password is wrongly percent-encoded: write a % as %25")
        }
        return decoded
    }

    /// The text before and behind the first `separator`; nil if there is none.
    static func parted(_ text: Substring, at separator: Character) -> (Substring, Substring?) {
        guard let place = text.firstIndex(of: separator) else { return (text, nil) }
        return (text[..<place], text[text.index(after: place)...])
    }
}
