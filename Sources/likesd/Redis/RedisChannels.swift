/// The channels over which hosts tell each other what changed. Redis' channels know no databases: the number is in the
/// name.
struct RedisChannels {
    /// What any host wrote to this database of Redis.
    let counters: [UInt8]
    /// This process' own, on which it hears itself as long as the subscription works.
    let host: [UInt8]

    /// `host`: a random number, no other process' of the same Redis.
    init(database: Int, host: UInt64) {
        counters = Array("likesd:counters:\(database)".utf8)
        self.host = Array("likesd:host:\(String(host, radix: 16))".utf8)
    }
}
