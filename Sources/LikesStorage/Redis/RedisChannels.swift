/// The channels over which hosts tell each other what changed. Redis' channels know no databases: the number is in the
/// name.
package struct RedisChannels: Sendable {
    /// What any host wrote to this database of Redis.
    package let counters: [UInt8]
    /// This process' own, on which it hears itself as long as the subscription works.
    package let host: [UInt8]

    /// `host`: a random number, no other process' of the same Redis.
    package init(database: Int, host: UInt64) {
        counters = Array("likesd:counters:\(database)".utf8)
        self.host = Array("likesd:host:\(String(host, radix: 16))".utf8)
    }
}
