import LikesProtocol

extension Request {
    /// Whether the reply holds facts that are measured when it is asked for.
    var isMeasured: Bool {
        switch self {
        case .info, .metrics: true
        case .like, .unlike, .count, .mcount, .liked, .mliked, .likes, .likers, .health, .reload, .ping, .echo, .quit,
            .reset,
            .handshake, .invalid:
            false
        }
    }
}
