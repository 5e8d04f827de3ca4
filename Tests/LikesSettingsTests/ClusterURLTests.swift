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

@Suite struct ClusterURLTests {
    private static func nodes(_ names: (String, Int)...) -> [RedisEndpoint.Address] {
        names.map { .tcp(host: $0.0, port: $0.1) }
    }

    @Test(
        "A URL with several hosts names nodes of a cluster, one with a single host a server.",
        arguments: [
            ("redis://a:7001,b:7002/", nodes(("a", 7_001), ("b", 7_002))),
            ("redis://a, b/0", nodes(("a", 6_379), ("b", 6_379))),
            ("REDIS://10.0.0.1,[::1]:7?db=0", nodes(("10.0.0.1", 6_379), ("::1", 7))),
        ])
    func aURLWithSeveralHostsNamesNodesOfACluster(url: String, nodes: [RedisEndpoint.Address]) throws {
        #expect(try redis(url) == RedisEndpoint(topology: .cluster(nodes)))
        #expect(try redis("redis://a:7001/").topology == .server(.tcp(host: "a", port: 7_001)))
    }

    @Test("One user and password are for all nodes, and the masked URL says all but the password.")
    func oneUserAndPasswordAreForAllNodes() throws {
        let endpoint = try redis("redis://bob:p%2Fa,b@h1:1,[::1]:2/0")
        #expect(endpoint.credentials == RedisCredentials(username: "bob", password: "p/a,b"))
        #expect(endpoint.maskedURL == "redis://bob:***@h1:1,[::1]:2/0")
        #expect(endpoint.hasPassword)
    }

    @Test(
        "A cluster's URL that can't be meant is refused with what is wrong, and its password stays out of the message.",
        arguments: [
            ("redis://:hush@h1,:hush@h2/0", "stand once"), ("redis://hush@h1:7001,hush@h2:7002", "stand once"),
            ("redis://h1 h2,h3/0", "not blanks"),
            ("redis://h1,,h2", "host is missing"), ("redis://:hush@h1,:7001", "host is missing"),
            ("redis://h1,h1:6379", "twice"), ("redis://h1,h2:port", "the port"), ("redis://h1,h2/1", "database 0"),
            ("redis://h1,h2?db=3", "database 0"), ("redis://h1,[::1/0", "the ] behind"),
            ("redis://" + (1...17).map { "h\($0)" }.joined(separator: ","), "at most 16 nodes"),
            ("redis://bob@h1,h2", "needs a password"),
        ])
    func aClustersURLThatCannotBeMeantIsRefused(url: String, words: String) throws {
        let message = try #require(refusal(url))
        #expect(message.hasPrefix("environment: REDIS_URL: this value is not allowed: "))
        #expect(message.contains(words), "\(message)")
        #expect(!message.contains("hush"))
    }
}
