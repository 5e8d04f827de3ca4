/// The requests that a load may consist of. The raw values number them densely.
package enum BenchVerb: Int, CaseIterable, Sendable {
    case like, unlike, count, mcount, liked, mliked

    /// As on the wire.
    package var name: String {
        switch self {
        case .like: "LIKE"
        case .unlike: "UNLIKE"
        case .count: "COUNT"
        case .mcount: "MCOUNT"
        case .liked: "LIKED"
        case .mliked: "MLIKED"
        }
    }

    /// Whether it names a user before its items.
    package var hasUser: Bool {
        switch self {
        case .like, .unlike, .liked, .mliked: true
        case .count, .mcount: false
        }
    }

    /// Whether it takes a batch of items.
    package var hasBatch: Bool {
        switch self {
        case .mcount, .mliked: true
        case .like, .unlike, .count, .liked: false
        }
    }

    /// Whether it changes what is stored.
    package var isChange: Bool {
        switch self {
        case .like, .unlike: true
        case .count, .mcount, .liked, .mliked: false
        }
    }
}
