/// The Sentinels that name the primary, from `REDIS_URL`.
package struct RedisSentinels: Equatable, Sendable {
    /// In the order of the URL; at least one, all of them TCP.
    package var addresses: [RedisEndpoint.Address]
    /// The name under which they watch the primary.
    package var name: String
    /// For the Sentinels; those of the URL's hosts are for the Redis servers.
    package var credentials: RedisCredentials

    package init(addresses: [RedisEndpoint.Address], name: String, credentials: RedisCredentials = RedisCredentials()) {
        self.addresses = addresses
        self.name = name
        self.credentials = credentials
    }

    static let form =
        "redis-sentinel://[[user]:password@]host[:26379][,host…][/db][?sentinel_password=…]#name"
    private static let defaultPort = 26_379
    /// Characters that a name does not have: what somebody forgot to encode in a password stands in front of one.
    private static let foreign: Set<Character> = ["@", "/", "#", "?", ",", ":", "="]

    /// Passwords are masked.
    var maskedQuery: String {
        var words: [String] = []
        if let user = credentials.username {
            words.append("sentinel_username=\(ConfigurationText.percentEncoded(user))")
        }
        if credentials.password != nil { words.append("sentinel_password=***") }
        return words.isEmpty ? "" : "?\(words.joined(separator: "&"))"
    }

    /// `hosts` separated by commas; `name` as it stands behind the #.
    fileprivate init(hosts: Substring, name: Substring?) throws(RefusedValue) {
        var addresses: [RedisEndpoint.Address] = []
        for part in hosts.split(separator: ",", omittingEmptySubsequences: false) {
            let host = ConfigurationText.trimmed(part)
            guard !host.unicodeScalars.contains(where: ConfigurationText.isBlank) else {
                throw RefusedValue(rule: "commas separate the Sentinels, not blanks: \(Self.form)")
            }
            guard !host.isEmpty, !host.hasPrefix(":") else {
                throw RefusedValue(
                    rule: "a Sentinel's host is missing (a / ? # in a password is written %2F %3F %23): \(Self.form)")
            }
            let address = try RedisEndpoint.address(host, port: Self.defaultPort, form: Self.form)
            guard !addresses.contains(address) else {
                throw RefusedValue(rule: "a Sentinel is named twice: \(Self.form)")
            }
            addresses.append(address)
        }
        guard addresses.count <= ConfigurationLimits.sentinelsMax else {
            throw RefusedValue(rule: "at most \(ConfigurationLimits.sentinelsMax) Sentinels, not \(addresses.count)")
        }
        guard let name, !name.isEmpty else {
            throw RefusedValue(
                rule: "the name under which the Sentinels watch the primary has to follow a #, as in #mymaster: "
                    + Self.form)
        }
        guard !name.contains(where: Self.foreign.contains), !SecretWords.stand(in: name),
            let decoded = ConfigurationText.percentDecoded(name),
            decoded.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F }),
            decoded.utf8.count <= ConfigurationLimits.sentinelNameBytesMax
        else {
            throw RefusedValue(
                rule: "behind the # stands a name of 1 to \(ConfigurationLimits.sentinelNameBytesMax) bytes without "
                    + "blanks (a / ? # in a password is written %2F %3F %23): \(Self.form)")
        }
        self.init(addresses: addresses, name: decoded)
    }
}

extension RedisEndpoint {
    /// What follows `redis-sentinel://`. Errors name parts of the form, never parts of the value.
    init(sentinels text: Substring) throws(RefusedValue) {
        let (front, name) = Self.parted(text, at: "#")
        let (body, query) = Self.parted(front, at: "?")
        let (authority, path) = Self.parted(body, at: "/")
        let at = authority.lastIndex(of: "@")
        if let at, authority[..<at].contains("@") {
            throw RefusedValue(
                rule: "user and password stand once, in front of all Sentinels (an @ in them is written %40): "
                    + RedisSentinels.form)
        }
        let hosts = at.map { authority[authority.index(after: $0)...] } ?? authority
        var sentinels = try RedisSentinels(hosts: hosts, name: name)
        var credentials = RedisCredentials()
        if let at { credentials = try Self.credentials(authority[..<at]) }
        var database = 0
        if let path, !path.isEmpty { database = try Self.database(path) }
        for pair in (query ?? "").split(separator: "&") {
            let (key, value) = Self.parted(pair, at: "=")
            switch key {
            case "db": database = try Self.database(value ?? "")
            case "username": credentials.username = try Self.decoded(value ?? "")
            case "password": credentials.password = try Self.decoded(value ?? "")
            case "sentinel_username": sentinels.credentials.username = try Self.decoded(value ?? "")
            case "sentinel_password": sentinels.credentials.password = try Self.decoded(value ?? "")
            default:
                throw RefusedValue(
                    rule: "only db, username, password, sentinel_username and sentinel_password may follow the '?': "
                        + RedisSentinels.form)
            }
        }
        sentinels.credentials = try sentinels.credentials.checked(RedisSentinels.form)
        self.init(
            topology: .sentinels(sentinels), credentials: try credentials.checked(RedisSentinels.form),
            database: database)
    }
}
