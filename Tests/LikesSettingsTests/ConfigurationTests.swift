import Foundation
import LikesProtocol
import LikesSettings
import Testing

/// Loads a file named `conf` of this text.
private func load(_ text: String, environment: [String: String] = [:]) throws(ConfigurationError) -> Configuration {
    try Configuration.load(file: ("conf", Array(text.utf8)), environment: environment)
}

/// The lines a refused configuration is reported with.
private func refusals(_ text: String, environment: [String: String] = [:]) -> [String] {
    do {
        _ = try load(text, environment: environment)
        return []
    } catch {
        return error.problems.map(\.text)
    }
}

@Suite struct ConfigurationFileTests {
    @Test("Without a file and variables every setting has its default.")
    func withoutAFileAndVariablesEverySettingHasItsDefault() throws {
        let configuration = try Configuration.load(file: nil, environment: [:])
        #expect(configuration == Configuration())
        #expect(
            configuration.effectiveText == """
                LIKESD_SOCKET=/run/likesd/likesd.sock
                LIKESD_SOCKET_MODE=0660
                DATABASE_URL=postgresql:///likes
                DATABASE_REPLICA_URLS=
                REDIS_URL=redis://localhost:6379/0
                CACHE_TTL_SECONDS=3600
                RECENT_LIKES_TTL=86400
                RECENT_LIKES_MAX=1000
                RATE_LIMIT_REQUESTS=100
                RATE_LIMIT_WINDOW_SECONDS=60
                ITEM_TYPES=post,reel,comment
                LOCAL_CACHE_ENTRIES=1000000
                LOCAL_CACHE_TTL_MS=1000
                REQUEST_TIMEOUT_MS=5000
                REDIS_TIMEOUT_MS=100
                MAX_CONNECTIONS=4096
                MAX_CONNECTIONS_PER_USER=0
                CLIENT_MEMORY_MAX_BYTES=0
                LOG_LEVEL=info

                """)
    }

    @Test("Comments, blank lines, CRLF, blanks around names and values, and quotes are no part of a value.")
    func commentsBlankLinesBlanksAndQuotesAreNoPartOfAValue() throws {
        let configuration = try load(
            "# a comment\r\n\r\n \t # another\n  RATE_LIMIT_REQUESTS =\t7 \r\n"
                + "DATABASE_URL = \" host=/a dbname=b#c \"\nLOG_LEVEL='DEBUG'"
        )
        #expect(configuration.rateLimitRequests == 7)
        #expect(configuration.databaseURL == " host=/a dbname=b#c ")
        #expect(configuration.logLevel == .debug)
    }

    @Test("Every problem of a file is reported, with its line.")
    func everyProblemOfAFileIsReportedWithItsLine() {
        let found = refusals(
            """
            RATE_LIMIT_REQUESTS=abc
            # fine
            CACHE_TTL_SECONDS=0
            just words
            MAX_CONNECTIONS=5
            MAX_CONNECTIONS=6
            """)
        #expect(
            found == [
                "conf:1: RATE_LIMIT_REQUESTS: 'abc' is not allowed: a whole number from 0 to 1000000000",
                "conf:3: CACHE_TTL_SECONDS: '0' is not allowed: a whole number from 1 to 31536000",
                "conf:4: not a line of the form NAME=value",
                "conf:6: MAX_CONNECTIONS: already set in line 5: keep one of the two",
            ])
    }

    @Test("An unknown name is refused, and the message names those there are.")
    func anUnknownNameIsRefusedWithTheNamesThereAre() {
        let found = refusals("RATE_LIMIT=5\nlog_level=info\n=3")
        #expect(found.count == 3)
        #expect(found[0].hasPrefix("conf:1: unknown setting 'RATE_LIMIT': there are LIKESD_SOCKET, "))
        // The list is said once.
        #expect(found[1] == "conf:2: unknown setting 'log_level'")
        #expect(found[2] == "conf:3: unknown setting ''")
    }

    @Test("A message shows control characters escaped, and long values cut.")
    func aMessageEscapesControlCharactersAndCutsLongValues() {
        #expect(refusals("LOG_LEVEL=a\u{1b}[2J\u{85}")[0].contains(#"'a\u{1B}[2J\u{0085}'"#))
        let long = refusals("LOG_LEVEL=" + String(repeating: "x", count: 10_000))[0]
        #expect(long.utf8.count < 300)
    }

    @Test("Bytes that are not UTF-8 are refused with their line.")
    func bytesThatAreNotUTF8AreRefusedWithTheirLine() throws {
        let bytes: [UInt8] = Array("LOG_LEVEL=info\nLIKESD_SOCKET=/".utf8) + [0xff, 0x0a] + Array("A\0=b".utf8)
        #expect(
            throws: ConfigurationError([
                ConfigurationProblem(.line(file: "conf", number: 2), "not a line of UTF-8 text"),
                ConfigurationProblem(.line(file: "conf", number: 3), "the line contains a NUL byte"),
            ])
        ) { try Configuration.load(file: ("conf", bytes), environment: [:]) }
    }

    @Test("A file over the limit is refused as a whole.")
    func aFileOverTheLimitIsRefusedAsAWhole() {
        let text = String(repeating: "#", count: ConfigurationLimits.fileBytesMax + 1)
        #expect(refusals(text) == ["conf: more than 1048576 bytes: is it the right file?"])
    }
}

@Suite struct ConfigurationEnvironmentTests {
    @Test("A variable wins over the file; an empty one counts as not set; unknown ones are not looked at.")
    func aVariableWinsOverTheFile() throws {
        let configuration = try load(
            "RATE_LIMIT_REQUESTS=5\nRECENT_LIKES_MAX=6",
            environment: ["RATE_LIMIT_REQUESTS": "9", "RECENT_LIKES_MAX": "", "PATH": "/bin", "LIKESD_FOO": "x"])
        #expect(configuration.rateLimitRequests == 9)
        #expect(configuration.recentLikesMax == 6)
    }

    @Test("A bad variable is reported by its name.")
    func aBadVariableIsReportedByItsName() {
        #expect(
            refusals("", environment: ["REDIS_TIMEOUT_MS": "-1"])
                == ["environment: REDIS_TIMEOUT_MS: '-1' is not allowed: a whole number from 1 to 60000"])
    }

    @Test("The file is checked even where the environment overrides it.")
    func theFileIsCheckedEvenWhereTheEnvironmentOverridesIt() {
        #expect(refusals("REDIS_TIMEOUT_MS=x", environment: ["REDIS_TIMEOUT_MS": "5"]).count == 1)
    }
}

@Suite struct ConfigurationCredentialTests {
    private func load(
        _ credentials: [Setting: String], file: String = "", environment: [String: String] = [:]
    ) throws(ConfigurationError) -> Configuration {
        try Configuration.load(
            file: ("conf", Array(file.utf8)), credentials: credentials.mapValues { Array($0.utf8) },
            environment: environment)
    }

    private func refusals(_ setting: Setting, _ text: [UInt8]) -> [String] {
        do {
            _ = try Configuration.load(file: nil, credentials: [setting: text], environment: [:])
            return []
        } catch {
            return error.problems.map(\.text)
        }
    }

    @Test("A credential wins over the file, and the environment over both; each place is remembered.")
    func aCredentialWinsOverTheFileAndTheEnvironmentOverBoth() throws {
        let all = try load(
            [.databaseURL: "host=credential", .redisURL: "redis://credential"],
            file: "DATABASE_URL=host=file\nREDIS_URL=redis://file\nLOG_LEVEL=debug",
            environment: ["REDIS_URL": "redis://environment", "DATABASE_REPLICA_URLS": ""])
        #expect(all.databaseURL == "host=credential")
        #expect(all.redis.maskedURL == "redis://environment:6379/0")
        let places = [Setting.databaseURL, .redisURL, .logLevel].map { all.places.text(of: $0) }
        #expect(places == ["the credential DATABASE_URL", "REDIS_URL in the environment", "LOG_LEVEL in conf"])
    }

    @Test("One end of line is no part of the value; blanks are.", arguments: ["", "\n", "\r\n"])
    func oneEndOfLineIsNoPartOfACredentialsValue(end: String) throws {
        #expect(try load([.databaseURL: "postgresql:///likes " + end]).databaseURL == "postgresql:///likes ")
    }

    @Test("The file and the credential are checked even where the environment overrides them.")
    func fileAndCredentialAreCheckedEvenWhereTheEnvironmentOverridesThem() {
        let error = #expect(throws: ConfigurationError.self) {
            try load(
                [.redisURL: "nonsense"], file: "REDIS_URL=rubbish", environment: ["REDIS_URL": "redis://localhost"])
        }
        #expect(error?.problems.map(\.origin) == [.line(file: "conf", number: 1), .credential])
    }

    @Test("What is wrong with a credential is said by its name, and never repeated.")
    func aWrongCredentialIsReportedByItsNameAndNeverRepeated() {
        let empty = "credential DATABASE_URL: it is empty: write the value into it, or remove it"
        for text in ["", "\n", "\r\n"] { #expect(refusals(.databaseURL, Array(text.utf8)) == [empty]) }
        let lines = ["credential REDIS_URL: it has to be one line of UTF-8 text"]
        for text in ["redis://:s3cret@a\n\n", "redis://:s3cret@a\nredis://b"] {
            #expect(refusals(.redisURL, Array(text.utf8)) == lines)
        }
        #expect(refusals(.redisURL, [0xff]) == lines)
        #expect(refusals(.redisURL, Array("a\0".utf8)) == ["credential REDIS_URL: it contains a NUL byte"])
        let wrong = refusals(.databaseReplicaURLs, Array("mysql://a:s3cret@b/c".utf8))
        #expect(wrong.count == 1)
        #expect(wrong[0].hasPrefix("credential DATABASE_REPLICA_URLS: this value is not allowed: "))
        #expect(!wrong[0].contains("s3cret"))
    }

    @Test("A credential over the limit is refused.")
    func aCredentialOverTheLimitIsRefused() {
        let text = [UInt8](repeating: UInt8(ascii: "x"), count: ConfigurationLimits.credentialBytesMax + 1)
        #expect(
            refusals(.databaseURL, text) == ["credential DATABASE_URL: more than 65536 bytes: is it the right file?"])
    }
}

@Suite struct ConfigurationValueTests {
    private static let ranges = [
        ("CACHE_TTL_SECONDS", 1, 31_536_000), ("RECENT_LIKES_TTL", 1, 31_536_000),
        ("RECENT_LIKES_MAX", 1, 1_000_000), ("RATE_LIMIT_REQUESTS", 0, 1_000_000_000),
        ("RATE_LIMIT_WINDOW_SECONDS", 1, 31_536_000), ("LOCAL_CACHE_ENTRIES", 0, 100_000_000),
        ("LOCAL_CACHE_TTL_MS", 0, 3_600_000), ("REQUEST_TIMEOUT_MS", 10, 600_000),
        ("REDIS_TIMEOUT_MS", 1, 60_000), ("MAX_CONNECTIONS", 1, 100_000),
        ("MAX_CONNECTIONS_PER_USER", 0, 100_000),
    ]

    @Test("No setting that is a number is missing among the ranges.")
    func noSettingThatIsANumberIsMissingAmongTheRanges() {
        let numbers = Setting.allCases.filter { setting in
            let ends = setting.range.components(separatedBy: " to ")
            // Permission bits are digits, and no number.
            return ends.count == 2 && ends.allSatisfy { end in Int64(end).map { "\($0)" } == end }
        }
        #expect(Set(numbers.map(\.rawValue)) == Set(Self.ranges.map(\.0)))
    }

    @Test("Each number has its range, ends included.", arguments: ranges)
    func eachNumberHasItsRangeEndsIncluded(name: String, lowest: Int, highest: Int) throws {
        for number in [lowest, highest] {
            #expect(try load("\(name)=\(number)").effectiveText.contains("\n\(name)=\(number)\n"))
        }
        for bad in ["\(lowest - 1)", "\(highest + 1)", "", "1.5", "+5", "0x10", "5s", "99999999999999999999", "５"] {
            #expect(
                refusals("\(name)=\(bad)").first?.hasSuffix("a whole number from \(lowest) to \(highest)") == true,
                "\(bad)")
        }
    }

    @Test("What clients may hold in memory is some MiB, or is found by itself.")
    func clientMemoryIsSomeMiBOrFoundByItself() throws {
        for number in [0, 1_048_576, 1_099_511_627_776] {
            #expect(try load("CLIENT_MEMORY_MAX_BYTES=\(number)").clientMemoryBytesMax == Int64(number))
        }
        for bad in ["1", "1048575", "1099511627777", "-1", "", "256M"] {
            #expect(
                refusals("CLIENT_MEMORY_MAX_BYTES=\(bad)").first?.hasSuffix(
                    "0, or a whole number from 1048576 to 1099511627776") == true, "\(bad)")
        }
    }

    @Test("The socket's mode is octal.")
    func theSocketsModeIsOctal() throws {
        #expect(try load("LIKESD_SOCKET_MODE=0600").socketMode == 0o600)
        #expect(try load("LIKESD_SOCKET_MODE=777").socketMode == 0o777)
        #expect(try load("LIKESD_SOCKET_MODE=0o640").socketMode == 0o640)
        for bad in ["", "8", "0680", "1777", "rw-rw----", "00660", "-660"] {
            #expect(refusals("LIKESD_SOCKET_MODE=\(bad)").count == 1, "\(bad)")
        }
    }

    @Test("A socket's path has 1 to 107 bytes.")
    func aSocketsPathHasOneTo107Bytes() throws {
        let longest = "/" + String(repeating: "s", count: 106)
        #expect(try load("LIKESD_SOCKET=\(longest)").socketPath == longest)
        #expect(refusals("LIKESD_SOCKET=\(longest)s").count == 1)
        #expect(refusals("LIKESD_SOCKET=").count == 1)
        #expect(refusals("LIKESD_SOCKET=@likesd").count == 1)
        for path in ["./@likesd", "./likesd.sock"] { #expect(try load("LIKESD_SOCKET=\(path)").socketPath == path) }
    }

    @Test("Item types are a list parted by commas, blanks around them ignored.")
    func itemTypesAreAListPartedByCommas() throws {
        #expect(try load("ITEM_TYPES=post, story ,a-1_b").itemTypes.names == ["post", "story", "a-1_b"])
    }

    @Test("A bad list of item types is refused, and the message says why.")
    func aBadListOfItemTypesIsRefusedWithTheReason() {
        #expect(refusals("ITEM_TYPES=").first?.contains("at least one type is needed") == true)
        #expect(refusals("ITEM_TYPES=post,,reel").first?.contains("'' is not a type's name") == true)
        #expect(refusals("ITEM_TYPES=post,Reel").first?.contains("'Reel' is not a type's name") == true)
        #expect(refusals("ITEM_TYPES=post,reel,post").first?.contains("'post' appears twice") == true)
        let many = (1...65).map { "t\($0)" }.joined(separator: ",")
        #expect(refusals("ITEM_TYPES=\(many)").first?.contains("at most 64 types, not 65") == true)
    }

    @Test("The level of the log is one of five words.")
    func theLogLevelIsOneOfFiveWords() throws {
        for level in LogLevel.allCases { #expect(try load("LOG_LEVEL=\(level)").logLevel == level) }
        #expect(
            refusals("LOG_LEVEL=loud") == [
                "conf:1: LOG_LEVEL: 'loud' is not allowed: one of error, warning, notice, info, debug"
            ])
    }

    @Test("The effective text is a file that says the same, where there are no secrets.")
    func theEffectiveTextIsAFileThatSaysTheSame() throws {
        let configuration = try load(
            """
            LIKESD_SOCKET="/ spaced 'quoted' "
            LIKESD_SOCKET_MODE=0007
            DATABASE_URL=host=/run/postgresql dbname='my likes'
            DATABASE_REPLICA_URLS=postgres://a,b/likes, postgresql://c/likes
            REDIS_URL=unix:///run/a%20b.sock?db=3
            ITEM_TYPES=story
            LOG_LEVEL=warning
            """)
        #expect(try load(configuration.effectiveText) == configuration)
    }
}

@Suite struct ConfigurationDocumentTests {
    private static func text(of path: String) throws -> String {
        let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: repository.appendingPathComponent(path), encoding: .utf8)
    }

    @Test("The packaged file shows every setting once, commented out, with its default.")
    func thePackagedFileShowsEverySettingOnceWithItsDefault() throws {
        let packaged = try Self.text(of: "packaging/likesd.conf")
        #expect(try load(packaged).effectiveText == Configuration().effectiveText)
        let settings = packaged.split(separator: "\n").filter { $0.hasPrefix("#") && !$0.hasPrefix("# ") && $0 != "#" }
        #expect(settings.map { $0.dropFirst() + "\n" }.joined() == Configuration().effectiveText)
    }

    @Test("The documentation lists every setting with its default, in the same order.")
    func theDocumentationListsEverySettingWithItsDefault() throws {
        let rows = try Self.text(of: "docs/configuration.md").split(separator: "\n").filter { $0.hasPrefix("| `") }
        let shown = rows.map { row in
            row.split(separator: "|").prefix(2)
                .map { $0.trimmingCharacters(in: CharacterSet(charactersIn: " `")) }.joined(separator: "=") + "\n"
        }
        #expect(shown.joined() == Configuration().effectiveText)
    }
}
