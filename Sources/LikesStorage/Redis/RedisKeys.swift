/// The keys in Redis. Only this file names them; `RedisChannels` names the channels.
package enum RedisKeys {
    /// The key of `Generation.marker`.
    package static let marker: StaticString = "likesd:generation"
    /// The key of the marker of a cluster's node, which has this slot.
    package static func marker(slot: Int) -> String { "\(marker):{\(RedisSlot.tag(of: slot))}" }
    /// An item's count, as in `counter:post:456`.
    package static let counter = RedisKey("counter:")
    /// An item's version and seal. The braces put it on the cluster node that has the count.
    package static let version = RedisKey("{counter:", "}:version")
    /// A user's changes in the present window, as in `rate:123:likes`.
    package static let rate = RedisKey("rate:", ":likes")
    /// The set of items that a user liked lately.
    package static let recentLikes = RedisKey("recent_likes:")
}

/// The name of one kind of key: what surrounds the item or the user.
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
