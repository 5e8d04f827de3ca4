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

/// What else a setting may be called, and what is taken for a slip.
@Suite struct SettingAliasTests {
    @Test("The reference service's names for settings are read as likesd's own, in a file and in the environment.")
    func theReferencesNamesAreReadAsLikesdsOwn() throws {
        let names = ["RECENT_LIKES_TTL_SECONDS": "7", "RECENT_LIKES_MAX_SIZE": "8", "DEBUG": "True"]
        let file = names.map { "\($0.key)=\($0.value)\n" }.joined()
        for configuration in [try load(file), try load("LOG_LEVEL=error", environment: names)] {
            #expect(configuration.recentLikesTTLSeconds == 7)
            #expect(configuration.recentLikesMax == 8)
            #expect(configuration.logLevel == .debug)
            #expect(configuration.places.notices == [])
        }
        #expect(try load("DEBUG=false\nLOG_LEVEL=debug").logLevel == .debug)
        #expect(try load("", environment: ["DEBUG": "0", "LOG_LEVEL": "error"]).logLevel == .error)
    }

    @Test("Two names of one setting have to agree, where both are given in one place.")
    func twoNamesOfOneSettingHaveToAgree() throws {
        #expect(try load("RECENT_LIKES_TTL=7\nRECENT_LIKES_TTL_SECONDS=007").recentLikesTTLSeconds == 7)
        #expect(
            refusals("RECENT_LIKES_TTL=7\n\nRECENT_LIKES_TTL_SECONDS=8") == [
                "conf:3: RECENT_LIKES_TTL_SECONDS: line 1 says otherwise with RECENT_LIKES_TTL: keep one of the two"
            ])
        #expect(
            refusals("DEBUG=1\nLOG_LEVEL=info\nDEBUG=1") == [
                "conf:2: LOG_LEVEL: line 1 says otherwise with DEBUG: keep one of the two",
                "conf:3: DEBUG: already set in line 1: keep one of the two",
            ])
        #expect(
            refusals("", environment: ["RECENT_LIKES_MAX": "7", "RECENT_LIKES_MAX_SIZE": "8"]) == [
                "environment: RECENT_LIKES_MAX_SIZE and RECENT_LIKES_MAX differ: keep one of the two"
            ])
        #expect(
            refusals("RECENT_LIKES_MAX_SIZE=x\nDEBUG=app:*") == [
                "conf:1: RECENT_LIKES_MAX_SIZE: 'x' is not allowed: a whole number from 1 to 1000000",
                "conf:2: DEBUG: 'app:*' is not allowed: true or false",
            ])
        // The environment overrides the file, whatever name it uses.
        #expect(
            try load("RECENT_LIKES_TTL=7", environment: ["RECENT_LIKES_TTL_SECONDS": "8"]).recentLikesTTLSeconds == 8)
    }

    @Test("A variable that looks like a misspelt setting is named, and so is a DEBUG of another program.")
    func aVariableThatLooksLikeAMisspeltSettingIsNamed() throws {
        func notices(_ environment: [String: String]) throws -> [String] {
            try load("", environment: environment).places.notices
        }
        for (name, meant) in [
            ("DATABASE_URI", "DATABASE_URL"), ("DATABSE_URL", "DATABASE_URL"), ("LOGLEVEL", "LOG_LEVEL"),
            ("redis_url", "REDIS_URL"), ("CACHE_TTL_SECOND", "CACHE_TTL_SECONDS"),
            ("RATE_LIMIT_REQUEST", "RATE_LIMIT_REQUESTS"), ("RECENT_LIKES_MAXSIZE", "RECENT_LIKES_MAX_SIZE"),
        ] {
            #expect(
                try notices([name: "x"]) == [
                    "environment: '\(name)' is no setting and is ignored: is \(meant) meant?"
                ])
        }
        #expect(
            try notices(["DEBUG": "app:*"]) == [
                "environment: DEBUG: 'app:*' is not allowed: true or false: it is ignored"
            ])
        let others = [
            "PATH", "HOME", "LANG", "USER", "LOGNAME", "PGDATABASE", "PORT", "HOST", "APP_NAME", "TERM", "DEBUGGER",
            "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "LISTEN_FDS", "INVOCATION_ID", "JOURNAL_STREAM", "WATCHDOG_USEC",
        ]
        #expect(try notices(Dictionary(uniqueKeysWithValues: others.map { ($0, "x") })) == [])
    }
}
