/// The channels on which hosts tell each other what changed. Redis' channels do not belong to databases, so their names
/// contain the database's number.
package struct RedisChannels: Sendable {
    /// For what any host wrote to this Redis database.
    package let counters: [UInt8]
    /// This process' own. It hears itself there as long as the subscription works.
    package let host: [UInt8]

    /// `host`: a random number that no other process of the same Redis has. `node`: the id of a cluster's node; nil: it
    /// is not one's. A cluster passes messages on to all its nodes, so each node has channels of its own: only there is
    /// everything heard that the node took, in its order.
    package init(database: Int, host: UInt64, node: String? = nil) {
        let place = node.map { ":\($0)" } ?? ""
        counters = Array("likesd:counters:\(database)\(place)".utf8)
        self.host = Array("likesd:host:\(String(host, radix: 16))\(place)".utf8)
    }
}
