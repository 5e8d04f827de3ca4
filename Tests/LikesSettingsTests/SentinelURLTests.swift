import LikesSettings
import Testing

private func redis(_ url: String) throws -> RedisEndpoint {
    try Configuration.load(file: nil, environment: ["REDIS_URL": url]).redis
}

private func refusal(_ url: String) -> String? {
    do {
        _ = try redis(url)
        return nil
    } catch let error as ConfigurationError {
        return error.text
    } catch {
        return nil
    }
}

@Suite struct SentinelURLTests {
    private static func hosts(_ names: String...) -> [RedisEndpoint.Address] {
        names.map { .tcp(host: $0, port: 26_379) }
    }

    @Test(
        "A Sentinel URL names Sentinels, the name of the primary, and a database.",
        arguments: [
            ("redis-sentinel://h1:26379,h2:26379/0#mymaster", hosts("h1", "h2"), "mymaster", 0),
            ("redis-sentinel://h1#m", hosts("h1"), "m", 0), ("redis-sentinel://h1, h2#m", hosts("h1", "h2"), "m", 0),
            ("REDIS-SENTINEL://h1,10.0.0.2,[::1]/7#my-master.1", hosts("h1", "10.0.0.2", "::1"), "my-master.1", 7),
            ("redis-sentinel://[::1]:7,h:8/#a%20b", [], nil, 0),
            ("redis-sentinel://h1?db=3#caf%C3%A9", hosts("h1"), "caf\u{e9}", 3),
        ] as [(String, [RedisEndpoint.Address], String?, Int)])
    func aSentinelURLNamesSentinelsTheNameOfThePrimaryAndADatabase(
        url: String, hosts: [RedisEndpoint.Address], name: String?, database: Int
    ) throws {
        guard let name else {
            #expect(refusal(url)?.contains("without blanks") == true)
            return
        }
        let wanted = RedisEndpoint(
            topology: .sentinels(RedisSentinels(addresses: hosts, name: name)), database: database)
        #expect(try redis(url) == wanted)
    }

    @Test("The user and password in front of the hosts are for Redis, those behind the ? for the Sentinels.")
    func theCredentialsInFrontAreForRedisThoseBehindForTheSentinels() throws {
        let url = "redis-sentinel://bob:p%2Fa,b@h1:1,h2:2/1?sentinel_username=al&sentinel_password=s%23s#m"
        let endpoint = try redis(url)
        #expect(endpoint.credentials == RedisCredentials(username: "bob", password: "p/a,b"))
        guard case .sentinels(let sentinels) = endpoint.topology else {
            Issue.record("no Sentinels")
            return
        }
        #expect(sentinels.credentials == RedisCredentials(username: "al", password: "s#s"))
        #expect(sentinels.addresses == [.tcp(host: "h1", port: 1), .tcp(host: "h2", port: 2)])
    }

    @Test(
        "The masked URL says all but the passwords.",
        arguments: [
            ("redis-sentinel://h1,[::1]:7/2#m", "redis-sentinel://h1:26379,[::1]:7/2#m"),
            (
                "redis-sentinel://b:p@h?sentinel_username=u%40&sentinel_password=q#caf%C3%A9",
                "redis-sentinel://b:***@h:26379/0?sentinel_username=u%40&sentinel_password=***#caf%C3%A9"
            ),
        ])
    func theMaskedURLSaysAllButThePasswords(url: String, shown: String) throws {
        #expect(try redis(url).maskedURL == shown)
        #expect(try redis(url).hasPassword == shown.contains("***"))
    }

    @Test(
        "A Sentinel URL that can't be meant is refused with what is wrong, and its password stays out of the message.",
        arguments: [
            ("redis-sentinel://:hush@h1,:hush@h2/0#m", "stand once"), ("redis-sentinel://h1 h2#m", "not blanks"),
            ("redis-sentinel://h1,h2/0", "has to follow a #"), ("redis-sentinel://h1/0#", "has to follow a #"),
            ("redis-sentinel://#m", "host is missing"), ("redis-sentinel://h1,,h2#m", "host is missing"),
            ("redis-sentinel://:hush@:26379#m", "host is missing"), ("redis-sentinel://h1,h1:26379#m", "twice"),
            ("redis-sentinel://h:port#m", "the port"), ("redis-sentinel://h:0#m", "the port"),
            ("redis-sentinel://h/x#m", "the database"), ("redis-sentinel://[::1#m", "the ] behind"),
            ("redis-sentinel://bob@h#m", "needs a password"),
            ("redis-sentinel://h?sentinel_username=u#m", "needs a password"),
            ("redis-sentinel://h?hush=1#m", "may follow the '?'"),
            ("redis-sentinel://:a#hush@h/0#m", "host is missing"),
            ("redis-sentinel://h:1#a?hush=1", "behind the #"),
            ("redis-sentinel://h#hush,password=x", "behind the #"),
            ("redis-sentinel://:a/hush@h#m", "host is missing"), ("redis-sentinel://:hush%2@h#m", "percent-encoded"),
            ("redis-sentinel://h?sentinel_password=%zz#m", "percent-encoded"),
            ("redis-sentinel://h#%zz", "behind the #"),
            ("redis-sentinel://" + (1...17).map { "h\($0)" }.joined(separator: ",") + "#m", "at most 16 Sentinels"),
            ("redis-sentinel://h#" + String(repeating: "m", count: 129), "behind the #"),
        ])
    func aSentinelURLThatCannotBeMeantIsRefusedWithWhatIsWrong(url: String, words: String) throws {
        let message = try #require(refusal(url))
        #expect(message.hasPrefix("environment: REDIS_URL: this value is not allowed: "))
        #expect(message.contains(words))
        #expect(!message.contains("hush"))
    }
}
