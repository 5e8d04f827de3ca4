import LikesProtocol

/// The settings by name, in the order of docs/configuration.md.
package enum Setting: String, CaseIterable, Sendable {
    case socket = "LIKESD_SOCKET"
    case socketMode = "LIKESD_SOCKET_MODE"
    case databaseURL = "DATABASE_URL"
    case databaseReplicaURLs = "DATABASE_REPLICA_URLS"
    case redisURL = "REDIS_URL"
    case cacheTTLSeconds = "CACHE_TTL_SECONDS"
    case recentLikesTTL = "RECENT_LIKES_TTL"
    case recentLikesMax = "RECENT_LIKES_MAX"
    case rateLimitRequests = "RATE_LIMIT_REQUESTS"
    case rateLimitWindowSeconds = "RATE_LIMIT_WINDOW_SECONDS"
    case itemTypes = "ITEM_TYPES"
    case localCacheEntries = "LOCAL_CACHE_ENTRIES"
    case localCacheTTLMs = "LOCAL_CACHE_TTL_MS"
    case requestTimeoutMs = "REQUEST_TIMEOUT_MS"
    case redisTimeoutMs = "REDIS_TIMEOUT_MS"
    case connectionsMax = "MAX_CONNECTIONS"
    case connectionsPerUserMax = "MAX_CONNECTIONS_PER_USER"
    case clientMemoryBytesMax = "CLIENT_MEMORY_MAX_BYTES"
    case logLevel = "LOG_LEVEL"

    /// The variable that names the folder of credentials, as systemd sets it.
    package static let credentialsFolderVariable = "CREDENTIALS_DIRECTORY"

    /// Whether a value may hold a password: messages never repeat it, and it may be a credential.
    package var isSecret: Bool {
        switch self {
        case .databaseURL, .databaseReplicaURLs, .redisURL: true
        case .socket, .socketMode, .cacheTTLSeconds, .recentLikesTTL, .recentLikesMax, .rateLimitRequests,
            .rateLimitWindowSeconds, .itemTypes, .localCacheEntries, .localCacheTTLMs, .requestTimeoutMs,
            .redisTimeoutMs, .connectionsMax, .connectionsPerUserMax, .clientMemoryBytesMax, .logLevel:
            false
        }
    }

    /// Whether a reload applies a new value. The others are part of what is built at the start: sockets, connections,
    /// tables, and bounds that other bounds are derived from.
    package var isReloadable: Bool {
        switch self {
        case .cacheTTLSeconds, .recentLikesTTL, .recentLikesMax, .rateLimitRequests, .rateLimitWindowSeconds,
            .localCacheTTLMs, .connectionsMax, .connectionsPerUserMax, .clientMemoryBytesMax, .logLevel:
            true
        case .socket, .socketMode, .databaseURL, .databaseReplicaURLs, .redisURL, .itemTypes, .localCacheEntries,
            .requestTimeoutMs, .redisTimeoutMs:
            false
        }
    }

    /// Puts the value in `other` into `configuration`; true: it was another one.
    package func take(from other: Configuration, into configuration: inout Configuration) -> Bool {
        func take<Value: Equatable>(_ value: WritableKeyPath<Configuration, Value>) -> Bool {
            guard configuration[keyPath: value] != other[keyPath: value] else { return false }
            configuration[keyPath: value] = other[keyPath: value]
            return true
        }
        return switch self {
        case .socket: take(\.socketPath)
        case .socketMode: take(\.socketMode)
        case .databaseURL: take(\.databaseURL)
        case .databaseReplicaURLs: take(\.databaseReplicaURLs)
        case .redisURL: take(\.redis)
        case .cacheTTLSeconds: take(\.cacheTTLSeconds)
        case .recentLikesTTL: take(\.recentLikesTTLSeconds)
        case .recentLikesMax: take(\.recentLikesMax)
        case .rateLimitRequests: take(\.rateLimitRequests)
        case .rateLimitWindowSeconds: take(\.rateLimitWindowSeconds)
        case .itemTypes: take(\.itemTypes)
        case .localCacheEntries: take(\.localCacheEntries)
        case .localCacheTTLMs: take(\.localCacheTTLMs)
        case .requestTimeoutMs: take(\.requestTimeoutMs)
        case .redisTimeoutMs: take(\.redisTimeoutMs)
        case .connectionsMax: take(\.connectionsMax)
        case .connectionsPerUserMax: take(\.connectionsPerUserMax)
        case .clientMemoryBytesMax: take(\.clientMemoryBytesMax)
        case .logLevel: take(\.logLevel)
        }
    }

    /// Checks a value and puts it into `configuration`.
    func apply(_ value: String, to configuration: inout Configuration) throws(RefusedValue) {
        typealias Limits = ConfigurationLimits
        switch self {
        case .socket: configuration.socketPath = try Self.socketPath(value)
        case .socketMode: configuration.socketMode = try Self.mode(value)
        case .databaseURL: configuration.databaseURL = try DatabaseURL(value).text
        case .databaseReplicaURLs:
            var urls: [String] = []
            for url in DatabaseURL.split(list: value) { urls.append(try DatabaseURL(url).text) }
            configuration.databaseReplicaURLs = urls
        case .redisURL: configuration.redis = try RedisEndpoint(url: value)
        case .cacheTTLSeconds: configuration.cacheTTLSeconds = try Self.number(value, in: Limits.ttlSeconds)
        case .recentLikesTTL: configuration.recentLikesTTLSeconds = try Self.number(value, in: Limits.ttlSeconds)
        case .recentLikesMax: configuration.recentLikesMax = try Self.number(value, in: Limits.recentLikesMax)
        case .rateLimitRequests:
            configuration.rateLimitRequests = try Self.number(value, in: Limits.rateLimitRequests)
        case .rateLimitWindowSeconds:
            configuration.rateLimitWindowSeconds = try Self.number(value, in: Limits.rateLimitWindowSeconds)
        case .itemTypes: configuration.itemTypes = try Self.itemTypes(value)
        case .localCacheEntries:
            configuration.localCacheEntries = Int(try Self.number(value, in: Limits.localCacheEntries))
        case .localCacheTTLMs: configuration.localCacheTTLMs = try Self.number(value, in: Limits.localCacheTTLMs)
        case .requestTimeoutMs: configuration.requestTimeoutMs = try Self.number(value, in: Limits.requestTimeoutMs)
        case .redisTimeoutMs: configuration.redisTimeoutMs = try Self.number(value, in: Limits.redisTimeoutMs)
        case .connectionsMax: configuration.connectionsMax = Int(try Self.number(value, in: Limits.connectionsMax))
        case .connectionsPerUserMax:
            configuration.connectionsPerUserMax = Int(try Self.number(value, in: Limits.connectionsPerUserMax))
        case .clientMemoryBytesMax:
            configuration.clientMemoryBytesMax = try Self.numberOrNone(value, in: Limits.clientMemoryBytesMax)
        case .logLevel: configuration.logLevel = try Self.logLevel(value)
        }
    }

    /// The value in force, secrets masked. Given back to `apply` it says the same, but for the secrets.
    func text(in configuration: Configuration) -> String {
        switch self {
        case .socket: configuration.socketPath
        case .socketMode: Self.octal(configuration.socketMode)
        case .databaseURL: DatabaseURL.masked(configuration.databaseURL)
        case .databaseReplicaURLs:
            configuration.databaseReplicaURLs.map { DatabaseURL.masked($0) }.joined(separator: ",")
        case .redisURL: configuration.redis.maskedURL
        case .cacheTTLSeconds: String(configuration.cacheTTLSeconds)
        case .recentLikesTTL: String(configuration.recentLikesTTLSeconds)
        case .recentLikesMax: String(configuration.recentLikesMax)
        case .rateLimitRequests: String(configuration.rateLimitRequests)
        case .rateLimitWindowSeconds: String(configuration.rateLimitWindowSeconds)
        case .itemTypes: configuration.itemTypes.names.joined(separator: ",")
        case .localCacheEntries: String(configuration.localCacheEntries)
        case .localCacheTTLMs: String(configuration.localCacheTTLMs)
        case .requestTimeoutMs: String(configuration.requestTimeoutMs)
        case .redisTimeoutMs: String(configuration.redisTimeoutMs)
        case .connectionsMax: String(configuration.connectionsMax)
        case .connectionsPerUserMax: String(configuration.connectionsPerUserMax)
        case .clientMemoryBytesMax: String(configuration.clientMemoryBytesMax)
        case .logLevel: String(describing: configuration.logLevel)
        }
    }
}

extension Setting {
    private static func number(_ value: String, in range: ClosedRange<Int64>) throws(RefusedValue) -> Int64 {
        guard let number = ConfigurationText.number(value, in: range) else {
            throw RefusedValue(rule: "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// 0 says that nothing is set.
    private static func numberOrNone(_ value: String, in range: ClosedRange<Int64>) throws(RefusedValue) -> Int64 {
        if let number = ConfigurationText.number(value, in: 0...range.upperBound), number == 0 || range ~= number {
            return number
        }
        throw RefusedValue(rule: "0, or a whole number from \(range.lowerBound) to \(range.upperBound)")
    }

    /// Bytes of a path a Unix socket can have: `RedisEndpoint` has the same limit.
    static func socketPath(_ path: String) throws(RefusedValue) -> String {
        guard (1...ConfigurationLimits.socketPathBytesMax).contains(path.utf8.count), !path.utf8.contains(0) else {
            throw RefusedValue(rule: "a socket's path of 1 to \(ConfigurationLimits.socketPathBytesMax) bytes")
        }
        // Other programs mean the abstract namespace by it, not a file of that name.
        guard !path.hasPrefix("@") else {
            throw RefusedValue(
                rule: "a socket's path does not begin with an @ (the abstract namespace is not supported; a file of "
                    + "that name is ./@…)")
        }
        return path
    }

    private static func mode(_ value: String) throws(RefusedValue) -> UInt32 {
        let digits = value.hasPrefix("0o") ? value.dropFirst(2) : Substring(value)
        guard (3...4).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }),
            let mode = UInt32(digits, radix: 8), ConfigurationLimits.socketMode.contains(mode)
        else { throw RefusedValue(rule: "permission bits in octal from 0000 to 0777, as in 0660") }
        return mode
    }

    private static func octal(_ mode: UInt32) -> String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
    }

    private static func logLevel(_ value: String) throws(RefusedValue) -> LogLevel {
        guard let level = LogLevel.allCases.first(where: { String(describing: $0) == value.lowercased() }) else {
            throw RefusedValue(
                rule: "one of \(LogLevel.allCases.map { String(describing: $0) }.joined(separator: ", "))")
        }
        return level
    }

    private static func itemTypes(_ value: String) throws(RefusedValue) -> ItemTypes {
        let names = value.split(separator: ",", omittingEmptySubsequences: value.isEmpty)
            .map { String(ConfigurationText.trimmed($0)) }
        do {
            return try ItemTypes(names)
        } catch {
            throw RefusedValue(rule: Self.rule(error))
        }
    }

    private static func rule(_ error: ItemTypesError) -> String {
        switch error {
        case .none: "at least one type is needed, as in post,reel,comment"
        case .tooMany(let count): "at most \(ItemTypes.countMax) types, not \(count)"
        case .badName(let name):
            "\(ConfigurationText.quoted(name)) is no type's name: 1 to \(ItemTypes.nameLengthMax) of a-z 0-9 _ -, "
                + "starting with a letter, parted by commas"
        case .repeated(let name): "\(ConfigurationText.quoted(name)) stands there twice"
        }
    }
}
