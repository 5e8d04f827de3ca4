/// The keys in Redis. Their names stand here alone; `RedisChannels` has those of the channels.
package enum RedisKeys {
    /// Where `Generation.marker` stands.
    package static let marker: StaticString = "likesd:generation"
    /// Of an item, as in `counter:post:456`: its count.
    package static let counter = RedisKey("counter:")
    /// Of an item: its count's version and seal. The braces put it where a cluster has the count.
    package static let version = RedisKey("{counter:", "}:version")
    /// Of a user, as in `rate:123:likes`: the changes of the present window.
    package static let rate = RedisKey("rate:", ":likes")
    /// Of a user: the set of items liked lately.
    package static let recentLikes = RedisKey("recent_likes:")
}

/// The name of one kind of key: what stands around the item or the user.
package struct RedisKey: Sendable {
    package let prefix: StaticString
    package let suffix: StaticString

    fileprivate init(_ prefix: StaticString, _ suffix: StaticString = "") {
        self.prefix = prefix
        self.suffix = suffix
    }

    /// `name`: an item as in `post:456`, or a user's number.
    package func of(_ name: String) -> String { "\(prefix)\(name)\(suffix)" }

    /// The item's or the user's name in a key of this kind.
    package func name(in key: String) -> Substring {
        key.dropFirst(prefix.utf8CodeUnitCount).dropLast(suffix.utf8CodeUnitCount)
    }
}
