import LikesProtocol

/// How a kind of value is read from text and shown as text.
struct SettingCodec<Value: Sendable>: Sendable {
    /// The allowed values, as documents describe them.
    var range: String
    var read: @Sendable (String) throws(RefusedValue) -> Value
    /// Secrets are masked.
    var text: @Sendable (Value) -> String
}

// MARK: Numbers

extension SettingCodec where Value: BinaryInteger {
    static func number(in range: ClosedRange<Int64>) -> SettingCodec {
        let words = "\(range.lowerBound) to \(range.upperBound)"
        return SettingCodec(
            range: words,
            read: { (value) throws(RefusedValue) in
                guard let number = ConfigurationText.number(value, in: range) else {
                    throw RefusedValue(rule: "a whole number from \(words)")
                }
                return Value(number)
            }, text: { String($0) })
    }

    /// 0 means unset.
    static func numberOrNone(in range: ClosedRange<Int64>) -> SettingCodec {
        let words = "\(range.lowerBound) to \(range.upperBound)"
        return SettingCodec(
            range: "0, or \(words)",
            read: { (value) throws(RefusedValue) in
                guard let number = ConfigurationText.number(value, in: 0...range.upperBound),
                    number == 0 || range ~= number
                else { throw RefusedValue(rule: "0, or a whole number from \(words)") }
                return Value(number)
            }, text: { String($0) })
    }
}

extension SettingCodec<UInt32> {
    /// Set-id and sticky bits mean nothing on a socket.
    static var permissionBits: SettingCodec {
        SettingCodec(
            range: "0000 to 0777",
            read: { (value) throws(RefusedValue) in
                let digits = value.hasPrefix("0o") ? value.dropFirst(2) : Substring(value)
                guard (3...4).contains(digits.utf8.count),
                    digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }),
                    let mode = UInt32(digits, radix: 8), mode <= 0o777
                else { throw RefusedValue(rule: "permission bits in octal from 0000 to 0777, as in 0660") }
                return mode
            },
            text: { mode in
                let digits = String(mode, radix: 8)
                return String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
            })
    }
}

// MARK: Texts

extension SettingCodec<String> {
    static var socketPath: SettingCodec {
        let bytesMax = ConfigurationLimits.socketPathBytesMax
        return SettingCodec(
            range: "1 to \(bytesMax) bytes",
            read: { (path) throws(RefusedValue) in
                guard (1...bytesMax).contains(path.utf8.count), !path.utf8.contains(0) else {
                    throw RefusedValue(rule: "a socket's path of 1 to \(bytesMax) bytes")
                }
                // Other programs take it for the abstract namespace, not for a file of that name.
                guard !path.hasPrefix("@") else {
                    throw RefusedValue(
                        rule: "a socket's path does not begin with an @ (the abstract namespace is not supported; "
                            + "a file of that name is ./@…)")
                }
                return path
            }, text: { $0 })
    }

    static var databaseURL: SettingCodec {
        SettingCodec(
            range: "a URI or pairs as libpq takes them",
            read: { (value) throws(RefusedValue) in try DatabaseURL(value).text }, text: { DatabaseURL.masked($0) })
    }
}

extension SettingCodec<[String]> {
    static var databaseURLs: SettingCodec {
        let countMax = ConfigurationLimits.standbysMax
        return SettingCodec(
            range: "up to \(countMax) URIs as libpq takes them",
            read: { (value) throws(RefusedValue) in
                var urls: [String] = []
                for url in DatabaseURL.split(list: value) { urls.append(try DatabaseURL(url).text) }
                guard urls.count <= countMax else {
                    throw RefusedValue(rule: "at most \(countMax) URIs, not \(urls.count)")
                }
                return urls
            }, text: { urls in urls.map { DatabaseURL.masked($0) }.joined(separator: ",") })
    }
}

extension SettingCodec<RedisEndpoint> {
    static var redisURL: SettingCodec {
        SettingCodec(
            range: "redis://, unix:// or redis-sentinel://",
            read: { (value) throws(RefusedValue) in try RedisEndpoint(url: value) }, text: { $0.maskedURL })
    }
}

extension SettingCodec<LogLevel> {
    static var logLevel: SettingCodec {
        let names = LogLevel.allCases.map { String(describing: $0) }.joined(separator: ", ")
        return SettingCodec(
            range: names,
            read: { (value) throws(RefusedValue) in
                let name = value.lowercased()
                guard let level = LogLevel.allCases.first(where: { String(describing: $0) == name }) else {
                    throw RefusedValue(rule: "one of \(names)")
                }
                return level
            }, text: { String(describing: $0) })
    }
}

extension SettingCodec<ItemTypes> {
    static var itemTypes: SettingCodec {
        SettingCodec(
            range: "1 to \(ItemTypes.countMax) names",
            read: { (value) throws(RefusedValue) in
                let names = value.split(separator: ",", omittingEmptySubsequences: value.isEmpty)
                    .map { String(ConfigurationText.trimmed($0)) }
                do throws(ItemTypesError) {
                    return try ItemTypes(names)
                } catch {
                    throw RefusedValue(rule: rule(error))
                }
            }, text: { $0.names.joined(separator: ",") })
    }

    private static func rule(_ error: ItemTypesError) -> String {
        switch error {
        case .none: "at least one type is needed, as in post,reel,comment"
        case .tooMany(let count): "at most \(ItemTypes.countMax) types, not \(count)"
        case .badName(let name):
            "\(ConfigurationText.quoted(name)) is not a type's name: 1 to \(ItemTypes.nameLengthMax) of a-z 0-9 _ -, "
                + "starting with a letter, separated by commas"
        case .repeated(let name): "\(ConfigurationText.quoted(name)) appears twice"
        }
    }
}
