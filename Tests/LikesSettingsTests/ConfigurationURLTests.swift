import LikesSettings
import Testing

private func redis(_ url: String) throws -> RedisEndpoint {
    try Configuration.load(file: nil, environment: ["REDIS_URL": url]).redis
}

private func refusal(_ name: String, _ url: String) -> String? {
    do {
        _ = try Configuration.load(file: nil, environment: [name: url])
        return nil
    } catch {
        return error.text
    }
}

@Suite struct RedisURLTests {
    @Test(
        "A Redis URL names a host, port and database, with the usual defaults.",
        arguments: [
            ("redis://localhost:6379/0", "localhost", 6379, 0),
            ("redis://localhost", "localhost", 6379, 0),
            ("redis://cache.example:7000", "cache.example", 7000, 0),
            ("redis://10.0.0.1/12", "10.0.0.1", 6379, 12),
            ("redis://10.0.0.1:/", "10.0.0.1", 6379, 0),
            ("redis://", "localhost", 6379, 0),
            ("redis:///3", "localhost", 6379, 3),
            ("redis://[::1]:6380/1", "::1", 6380, 1),
            ("redis://[fe80::1]", "fe80::1", 6379, 0),
            ("redis://h?db=4", "h", 6379, 4),
            ("REDIS://h", "h", 6379, 0),
        ])
    func aRedisURLNamesHostPortAndDatabaseWithDefaults(url: String, host: String, port: Int, database: Int) throws {
        let endpoint = try redis(url)
        #expect(
            endpoint == RedisEndpoint(topology: .server(.tcp(host: host, port: port)), database: database))
    }

    @Test(
        "Users and passwords are percent-decoded; the last @ ends them.",
        arguments: [
            ("redis://:secret@h", nil, "secret"),
            ("redis://bob:secret@h", "bob", "secret"),
            ("redis://b%40b:p%2Fa%3As%25s@h", "b@b", "p/a:s%s"),
            ("redis://:p@ss:w@h", nil, "p@ss:w"),
            ("redis://:@h", nil, nil),
            ("redis://h?username=bob&password=s%20t", "bob", "s t"),
            ("unix://:secret@/run/r.sock", nil, "secret"),
            ("unix://bob:secret@/run/r.sock", "bob", "secret"),
            ("unix://bob@/run/r.sock?password=x", "bob", "x"),
        ] as [(String, String?, String?)])
    func usersAndPasswordsAreDecodedAndTheLastAtEndsThem(url: String, username: String?, password: String?) throws {
        let endpoint = try redis(url)
        #expect(endpoint.credentials.username == username)
        #expect(endpoint.credentials.password == password)
    }

    @Test(
        "A unix URL names a socket's path.",
        arguments: [
            ("unix:///run/redis.sock", "/run/redis.sock", 0),
            ("unix:///run/a%20b@/r.sock?db=2", "/run/a b@/r.sock", 2),
            ("unix://:p@/r.sock?db=9", "/r.sock", 9),
        ])
    func aUnixURLNamesASocketsPath(url: String, path: String, database: Int) throws {
        let endpoint = try redis(url)
        #expect(endpoint.topology == .server(.unix(path: path)))
        #expect(endpoint.database == database)
    }

    @Test(
        "A Redis URL that can't be meant is refused, and its password stays out of the message.",
        arguments: [
            "localhost:6379", "http://h", "redis://h:port", "redis://h:0", "redis://h:65536", "redis://h/x",
            "redis://h/0/1", "redis://h/-1", "redis://bob@h", "redis://:hush%2@h", "redis://:hush%00@h",
            "redis://:hush%ff@h", "redis://:hu/hush@h", "redis://:hu?hush@h", "redis://[::1", "redis://[::1]x",
            "redis://h?hush=1", "unix://run/redis.sock", "unix://", "redis://h?db=hush",
            "unix:///" + String(repeating: "s", count: 107), "redis://h,password=hush", "redis://h\u{a0}hush:1",
            "redis://h%20password%3Dhush", "unix:///r.sock,password=hush",

            "redis://redis:%2F%2F:hush%40h/0",
        ])
    func aRedisURLThatCannotBeMeantIsRefusedWithoutItsPassword(url: String) throws {
        let message = try #require(refusal("REDIS_URL", url))
        #expect(message.hasPrefix("environment: REDIS_URL: this value is not allowed: "))
        #expect(!message.contains("hush"))
    }

    @Test("TLS is refused with what to do instead.")
    func tlsIsRefusedWithWhatToDoInstead() {
        #expect(refusal("REDIS_URL", "rediss://h")?.contains("stunnel") == true)
    }

    @Test(
        "The masked URL says all but the password.",
        arguments: [
            ("redis://:p@h:1/2", "redis://:***@h:1/2"),
            ("redis://b%40b:p@[::1]", "redis://b%40b:***@[::1]:6379/0"),
            ("unix://u:p@/run/a%20b.sock?db=1", "unix://u:***@/run/a%20b.sock?db=1"),
        ])
    func theMaskedURLSaysAllButThePassword(url: String, shown: String) throws {
        #expect(try redis(url).maskedURL == shown)
    }

    @Test(
        "What Redis says to AUTH is shown without the password.",
        arguments: [
            ("ERR unknown command 'AUTH', with args beginning with: 'hush-hu", "ERR unknown command 'AUTH'"),
            ("ERR unknown command `AUTH`, with args beginning with: `b`, `hush-hush`, ", "ERR unknown command `AUTH`"),
            ("ERR what is hush-hush?", "ERR what is ***?"),
            ("WRONGPASS invalid username-password pair", "WRONGPASS invalid username-password pair"),
        ])
    func whatRedisSaysToAUTHIsShownWithoutThePassword(said: String, shown: String) throws {
        #expect(try redis("redis://bob:hush-hush@h").credentials.redacted(said) == shown)
    }
}

@Suite struct DatabaseURLTests {
    @Test(
        "A libpq URI or conninfo is taken as it is; SQLAlchemy's driver is dropped from the scheme.",
        arguments: [
            ("postgresql:///likes", "postgresql:///likes"),
            ("postgres://u:p@h:5432/d?sslmode=require", "postgres://u:p@h:5432/d?sslmode=require"),
            ("postgresql+asyncpg://u:p@h/d", "postgresql://u:p@h/d"),
            (
                "postgresql://a:1,b:2,[::1]:3/d?target_session_attrs=read-write",
                "postgresql://a:1,b:2,[::1]:3/d?target_session_attrs=read-write"
            ),
            ("postgresql://%2Frun%2Fpg/d", "postgresql://%2Frun%2Fpg/d"),
            ("postgresql://u:caf%E9@h/d", "postgresql://u:caf%E9@h/d"),
            ("postgresql:///d?user=a@b", "postgresql:///d?user=a@b"),
            ("host=/run dbname=likes", "host=/run dbname=likes"),
            ("host = 'a b'\tpassword=x\\ y", "host = 'a b'\tpassword=x\\ y"),
            ("password=a://b", "password=a://b"), ("password=x\u{a0}y", "password=x\u{a0}y"),
            ("password=x\u{85}y\u{2003}host=z", "password=x\u{85}y\u{2003}host=z"),
        ])
    func aLibpqURIOrConninfoIsTakenAsItIs(value: String, text: String) throws {
        #expect(try Configuration.load(file: nil, environment: ["DATABASE_URL": value]).databaseURL == text)
    }

    @Test(
        "A database URL that libpq would misread is refused, and its password stays out of the message.",
        arguments: [
            "mysql://u:hush@h/d", "likes", "postgresql://u:hu@hush@h/d", "postgresql://u:hu/hush@h/d",
            "postgresql://u:hush%zz@h/d", "postgresql://u:hush%00@h/d", "postgresql://u:hush/d",
            "postgresql://h/d?hush", "postgresql://h?password=hu@hush", "postgresql://h?user=u&password=hush@h",
            "password='hush", "host=h hush", "=hush", "postgresql://h:70000/d",
            "   ",
        ])
    func aDatabaseURLThatLibpqWouldMisreadIsRefusedWithoutItsPassword(value: String) throws {
        let message = try #require(refusal("DATABASE_URL", value))
        #expect(message.hasPrefix("environment: DATABASE_URL: this value is not allowed: "))
        #expect(!message.contains("hush"))
    }

    @Test(
        """
        Whatever may be a secret is masked: all values but those of words that are known to be harmless, and words that
        nobody knows.
        """,
        arguments: [
            ("postgresql://u:p@h/d", "postgresql://u:***@h/d"),
            ("postgresql://u:p:q?r@h/d?port=1", "postgresql://u:***@h/d?port=1"),
            (
                "postgresql://u@h/d?password=p&sslpassword=q&port=1",
                "postgresql://u@h/d?password=***&sslpassword=***&port=1"
            ),
            ("postgresql://h/d?p%61ssword=p", "postgresql://h/d?p%61ssword=***"),
            ("host=h pasword=p PASSWORD=q options='-c a.b=r'", "host=h *** *** options=***"),
            ("postgresql:///d?Password=p&options=-c%20a&port=1", "postgresql:///d?***&options=***&port=1"),
            ("postgresql:///d?hush&port=1", "postgresql:///d?***&port=1"), ("host=h hush", "***"),
            ("host=h password=my hush=p dbname=d", "host=h password=*** *** dbname=d"),
            ("host=h password=p dbname=d", "host=h password=*** dbname=d"),
            ("password = 'p \\' q' host=h", "password = *** host=h"),
            ("password=p\\ q host=h sslpassword=r", "password=*** host=h sslpassword=***"),
            ("postgresql://u@h:5/d", "postgresql://u@h:5/d"),
            // Other blanks than ASCII's part nothing for libpq.
            ("host=h\u{a0}password=p", "host=***"), ("password=x\u{2003}host=p", "password=***"),
            ("password=p\u{85}q host=h", "password=*** host=h"), ("host=h\u{b}password=p", "host=h\u{b}password=***"),
            // A whole URL, or more words, in the place of a name.
            ("dbname=postgresql://u:p@h/x port=1", "dbname=*** port=1"), ("dbname='host=h password=p'", "dbname=***"),
            ("host='a b' dbname='my db'", "host='a b' dbname='my db'"),
            ("postgresql://u:p@h/db#password=q", "postgresql://u:***@h/***"),
            ("postgresql://u:p@h/postgresql%3A%2F%2Fu%3Aq%40h", "postgresql://u:***@h/***"),
            ("postgresql://h?dbname=postgresql%253A%252F%252Fu%253Aq%2540h", "postgresql://h?dbname=***"),
            ("postgresql://u%3Ap@h/d", "postgresql://***@h/d"),
            ("postgresql://h%20password%3Dp/d", "postgresql://***/d"),
            // A combining mark makes one character of itself and what stands before it.
            ("postgresql://u:\u{301}p@h/d", "postgresql://u:***@h/d"),
            (
                "postgresql://u:p@\u{301}h/d?port=1&password=\u{301}p",
                "postgresql://u:***@\u{301}h/d?port=1&password=***"
            ),
        ])
    func aMaskedDatabaseURLShowsNoPassword(value: String, shown: String) {
        #expect(DatabaseURL.masked(value) == shown)
    }

    @Test("What a library says about a connection string is shown without its passwords.")
    func whatALibrarySaysAboutAConnectionStringIsShownWithoutItsPasswords() {
        let url = "postgresql://u:p%40q@h/d?password=two"
        #expect(DatabaseURL.redacted("bad \"\(url)\"", about: url) == "bad \"postgresql://u:***@h/d?password=***\"")
        #expect(DatabaseURL.redacted("p@q, two", about: url) == "***, ***")
        #expect(DatabaseURL.redacted("say x 'y", about: "host=h password='x \\'y'") == "say ***")
    }

    @Test(
        "A name that looks like words or a URL was hardly meant, and may hold a password.",
        arguments: [
            ("host", "h\u{a0}password=p", true), ("host", "h\u{200b}x", true), ("dbname", "postgresql://u:p@h", true),
            ("dbname", "db#x=y", true), ("user", "u:p", true), ("sslmode", "require\u{a0}password=p", true),
            ("port", "5432,password=p", true), ("application_name", "a password = p", true),
            ("application_name", "likesd (env=prod)", false),
            ("sslkey", "pkcs11:token=likes;object=key", false), ("host", "@abstract,::1", false),
            ("application_name", "a=b", false), ("host", "/run/a b,h2,::1", false), ("dbname", "my passwords", false),
            ("user", "likes@server", false), ("sslrootcert", "/etc/x=y/a b.pem", false), ("password", "p q=r", false),
            ("options", "-c a.b=c", false), ("oauth_issuer", "https://x/?password=b", true),
            ("oauth_issuer", "https://x/?tenant=b", false),
            ("application_name", "likesd host=web1", false), ("host", "likes:se,cret@db", true),
        ])
    func aNameThatLooksLikeWordsOrAURLIsRefused(keyword: String, value: String, isMisread: Bool) {
        #expect((DatabaseURL.misreading(of: keyword, value) != nil) == isMisread)
    }

    @Test(
        "Of what libpq quotes of a connection string that it can't read, its own words are shown.",
        arguments: [
            ("password=my hush=x", "bad option \"hush\"\n", "bad option \"***\""),
            ("dbname=d port", "missing \"=\" after \"port\"\n", "missing \"=\" after \"port\""),
            ("dbname=d hush", "missing \"=\" after \"hush\"\n", "missing \"=\" after \"***\""),
            ("password=hush b\"c=hush", "bad option \"b\"c\"", "bad option \"***\""),
            ("postgresql://h?a%22b=c", "bad option \"a\" b \"\"", "bad option \"***\""),
            ("dbname='d", "unterminated", "unterminated"),
        ])
    func ofAConnectionStringThatLibpqCannotReadOnlyLibpqsOwnWordsAreShown(value: String, said: String, shown: String) {
        #expect(DatabaseURL.unquoted(said, about: value).hasPrefix(shown))
        #expect(!DatabaseURL.unquoted(said, about: value).contains("hush"))
    }

    @Test("Replicas are a list of URIs; a comma between hosts parts nothing.")
    func replicasAreAListOfURIsAndACommaBetweenHostsPartsNothing() throws {
        let list = "postgresql://a:1,b:2/d , postgresql+asyncpg://u:p@c/d"
        let configuration = try Configuration.load(file: nil, environment: ["DATABASE_REPLICA_URLS": list])
        #expect(configuration.databaseReplicaURLs == ["postgresql://a:1,b:2/d", "postgresql://u:p@c/d"])
        #expect(configuration.effectiveText.contains("S=postgresql://a:1,b:2/d,postgresql://u:***@c/d\n"))
        #expect(refusal("DATABASE_REPLICA_URLS", "postgresql://a/d,http://b") != nil)
    }

    @Test("Blanks part replicas as commas do, unless they stand within one.")
    func blanksPartReplicasUnlessTheyStandWithinOne() throws {
        for (list, urls) in [
            ("postgresql://a/d postgres://b/d", ["postgresql://a/d", "postgres://b/d"]),
            (
                "postgresql://a/d,\t postgres://b/d  postgresql://c,d/d",
                [
                    "postgresql://a/d", "postgres://b/d", "postgresql://c,d/d",
                ]
            ),
            ("postgresql://a/d , postgres://b:1, c:2/d", ["postgresql://a/d", "postgres://b:1,c:2/d"]),
            ("host=a  dbname='d e'", ["host=a  dbname='d e'"]),
            ("postgresql://a/d,, postgresql://b/d ,", ["postgresql://a/d", "postgresql://b/d"]),
        ] {
            let configuration = try Configuration.load(file: nil, environment: ["DATABASE_REPLICA_URLS": list])
            #expect(configuration.databaseReplicaURLs == urls)
        }
    }

    @Test("More replicas than likesd connects to are refused.")
    func moreReplicasThanLikesdConnectsToAreRefused() {
        func list(_ count: Int) -> String {
            (0..<count).map { "postgresql://h\($0)/d" }.joined(separator: " ")
        }
        #expect(refusal("DATABASE_REPLICA_URLS", list(ConfigurationLimits.standbysMax)) == nil)
        #expect(
            refusal("DATABASE_REPLICA_URLS", list(ConfigurationLimits.standbysMax + 1))?.contains("at most 16 URIs")
                == true)
    }
}
