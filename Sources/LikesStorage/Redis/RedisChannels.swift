/// The channels on which hosts tell each other what changed. Redis' channels do not belong to databases, so their names
/// contain the database's number.
package struct RedisChannels: Sendable {
    /// For what any host wrote to this Redis database.
    package let counters: [UInt8]
    /// This process' own. It hears itself there as long as the subscription works.
    package let host: [UInt8]

    /// `host`: a random number that no other process of the same Redis has.
    package init(database: Int, host: UInt64) {
        counters = Array("likesd:counters:\(database)".utf8)
        self.host = Array("likesd:host:\(String(host, radix: 16))".utf8)
    }
}
