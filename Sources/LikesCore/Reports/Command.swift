import LikesProtocol

/// What requests are counted and timed as. METRICS and INFO list them under these names and in this order.
enum Command: Int, CaseIterable {
    case like, unlike, count, mcount, liked, mliked, likes, likers
    /// Whatever likesd answers by itself: HEALTH, INFO, PING, a client's handshake.
    case other
    case invalid

    init(_ request: Request) {
        self =
            switch request {
            case .like: .like
            case .unlike: .unlike
            case .count: .count
            case .mcount: .mcount
            case .liked: .liked
            case .mliked: .mliked
            case .likes: .likes
            case .likers: .likers
            case .health, .info, .metrics, .reload, .ping, .echo, .quit, .reset, .handshake: .other
            case .invalid: .invalid
            }
    }

    /// Those whose time to answer says something: they may have to wait for Redis or PostgreSQL.
    static let timed: [Command] = [.like, .unlike, .count, .mcount, .liked, .mliked, .likes, .likers]
}
