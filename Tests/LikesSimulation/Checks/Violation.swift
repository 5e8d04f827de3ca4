/// The guarantees that are checked.
package enum Rule: String, CaseIterable, Sendable {
    /// LIKE, UNLIKE, LIKED of a pair can be put in one order that explains every answer.
    case linearizable
    /// counters = count of user_likes, and versions go up by one.
    case counters
    /// A change's count is one that its item had between request and reply, not before the change.
    case changeCount
    /// What was acknowledged is committed, and stays.
    case durable
    /// Every commit belongs to a request, every acknowledged change to a commit.
    case commits
    /// A COUNT is as fresh as promised.
    case fresh
    /// Every request is answered in time.
    case answered
    /// In the end Redis has what PostgreSQL has, and nothing is left to be repaired.
    case repaired
    /// In a cluster, no node has a key of another's, and none is in the way of one.
    case slots
    /// The rate limit is exact while slots move.
    case rates
    /// In a cluster, a node that fails or is replaced is no reason to drop what others have.
    case apart
    /// A host says that the database went back, or that others use another Redis, only where that is so.
    case alarms
    /// No queue is over its limit.
    case bounded
    /// Transactions never wait for each other in a circle.
    case deadlock
    /// Lost backends are not tried again in a storm.
    case reconnections
    /// The core asks of a backend only what it can have.
    case interface
}

/// A guarantee that was broken.
package struct Violation: Sendable {
    package var rule: Rule
    package var text: String
    /// The pair or the item concerned, by index.
    package var pair: Int?
    package var item: Int?

    package init(_ rule: Rule, _ text: String, pair: Int? = nil, item: Int? = nil) {
        self.rule = rule
        self.text = text
        self.pair = pair
        self.item = item
    }
}
