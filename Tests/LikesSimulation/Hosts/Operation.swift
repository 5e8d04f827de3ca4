/// One thing asked of likesd: a request, or an element of MCOUNT and MLIKED.
package struct Operation: Sendable {
    package enum Kind: UInt8, Sendable { case like, unlike, liked, count }
    package enum List: UInt8, Sendable {
        /// By MLIKED.
        case none
        /// By LIKES, of all items.
        case likes
        /// By LIKERS, of all users.
        case likers
    }
    package enum Outcome: UInt8, Sendable {
        /// Not handed to a host yet: a request that a host never got.
        case unsent
        case waiting
        case answered
        /// `-UNAVAILABLE`, `-BUSY`, `-RATELIMITED`: nothing happened.
        case refused
        /// `-UNCERTAIN`.
        case uncertain
        /// Its client or its host went away: a change may be done or not.
        case lost
    }
    package var kind: Kind
    /// Of the first of a request: how many operations it is.
    package var width: UInt8 = 1
    /// Of the first of several LIKED: how they are asked for.
    package var list = List.none
    package var outcome = Outcome.unsent
    package var changed = false
    package var host: Int16
    package var life: Int32 = 0
    package var client: Int16
    /// Which of all the connections there were: what came in on one was asked in this order.
    package var connection: Int32 = -1
    package var pair: Int
    package var item: Int
    /// Its host had not been at PostgreSQL when it was asked: it can't tell what is forged.
    package var mayBeForged = false
    /// LIKED: 1 or 0; otherwise the count.
    package var value: Int64 = 0
    /// When the host read it, and when it replied.
    package var calledAt: Micros = .never
    package var repliedAt: Micros = .never

    package init(_ kind: Kind, pair: Int, item: Int, host: Int, client: Int) {
        self.kind = kind
        self.pair = pair
        self.item = item
        self.host = Int16(host)
        self.client = Int16(client)
    }

    package var isChange: Bool { kind == .like || kind == .unlike }
}
