import LikesSettings
import LikesStorage
import Testing

private func target(
    host: String = "/var/run/postgresql", port: String = "5432", database: String = "likes", role: String = "likesd"
) -> DatabaseTarget {
    DatabaseTarget(host: host, port: port, database: database, role: role)
}

/// Advice for a daemon that runs as `likesd` with these settings in its file, or in its environment.
private func advice(
    _ file: String = "", environment: [String: String] = [:], credentials: [Setting: [UInt8]] = [:],
    name: String = SettingPlaces.defaultFile, user: String = "likesd", isUnderSudo: Bool = false,
    isInstalled: Bool = true, database: Setting = .databaseURL
) throws -> Advice {
    let configuration = try Configuration.load(
        file: (name, Array(file.utf8)), credentials: credentials, environment: environment)
    return Advice(
        configuration,
        on: HostFacts(
            userName: user, isUnderSudo: isUnderSudo, credentialsFolder: "/run/credentials/likesd.service",
            isPostgresInstalled: isInstalled, isRedisInstalled: isInstalled), database: database)
}

@Suite struct ConnectRefusalTests {
    @Test(
        "The code and the server's function tell why, whatever language the server speaks.",
        arguments: [
            ("28P01: Passwort falsch", "auth_failed", ConnectRefusal.Reason.wrongPassword),
            ("28000: Rolle fehlt", "InitializeSessionUserId", .noRole),
            ("28000: abgewiesen", "ClientAuthentication", .notLetIn),
            ("28000: falscher Benutzer", "auth_failed", .otherIdentity),
            ("28000: role \"x\" is not permitted to log in", "InitializeSessionUserId", .roleMayNotLogIn),
            ("3D000: fehlt", "InitPostgres", .noDatabase), ("42501: nein", "CheckMyDatabase", .noPermission),
            ("53300: voll", "InitProcess", .tooManyConnections), ("57P03: gleich", "ProcessStartup", .serverStarting),
            ("XX000: kaputt", "InitPostgres", .unclear),
        ])
    func codesTellWhyInWhateverLanguageTheServerSpeaks(said: String, function: String, reason: ConnectRefusal.Reason) {
        let message = "connection to server failed: FATAL:  \(said)\nLOCATION:  \(function), file.c:334\n"
        let refusal = ConnectRefusal(message)
        #expect(refusal.reason == reason)
        #expect(refusal.text == "connection to server failed: FATAL:  \(said)")
    }

    @Test(
        "Without codes the words have to do.",
        arguments: [
            ("FATAL:  password authentication failed for user \"a\"", ConnectRefusal.Reason.wrongPassword),
            ("FATAL:  Peer authentication failed for user \"a\"", .otherIdentity),
            ("fe_sendauth: no password supplied", .noPassword),
            ("FATAL:  role \"a\" does not exist", .noRole), ("FATAL:  database \"a\" does not exist", .noDatabase),
            ("FATAL:  role \"a\" is not permitted to log in", .roleMayNotLogIn),
            ("FATAL:  no pg_hba.conf entry for host \"[local]\", user \"a\"", .notLetIn),
            ("FATAL:  permission denied for database \"a\"", .noPermission),
            ("FATAL:  sorry, too many clients already", .tooManyConnections),
            ("FATAL:  the database system is starting up", .serverStarting),
            ("connection to server at \"h\", port 1 failed: Connection refused", .noServer),
            ("connection to server on socket \"/s\" failed: No such file or directory", .noServer),
            ("connection to server failed: could not read \"/key\": No such file or directory", .unclear),
            ("connection to server on socket \"/s\" failed: Permission denied", .unclear),
            ("FATAL:  28P0: it is no code", .unclear),
        ])
    func withoutCodesTheWordsTellWhy(message: String, reason: ConnectRefusal.Reason) {
        #expect(ConnectRefusal(message).reason == reason)
    }

    @Test("Of several servers the first that answered counts; all are told, without guesses and places in the source.")
    func ofSeveralServersTheFirstThatAnsweredCountsAndAllAreTold() {
        let refusal = ConnectRefusal(
            """
            connection to server at "a" failed: Connection refused
            \tIs the server running on that host?
            connection to server at "b" failed: FATAL:  28000: no
            LOCATION:  InitializeSessionUserId, miscinit.c:768
            connection to server at "c" failed: FATAL:  28P01: no
            LOCATION:  auth_failed, auth.c:334

            """)
        #expect(refusal.reason == .noRole)
        #expect(
            refusal.text == """
                connection to server at "a" failed: Connection refused; \
                connection to server at "b" failed: FATAL:  28000: no; \
                connection to server at "c" failed: FATAL:  28P01: no
                """)
    }

    @Test("A code in a name that the message repeats is none.")
    func aCodeInANameThatTheMessageRepeatsIsNone() {
        #expect(ConnectRefusal("FATAL:  3D000: database \":  28P01: \" fehlt").reason == .noDatabase)
    }

    @Test("A message of nothing is a closed connection.")
    func anEmptyMessageIsAClosedConnection() {
        #expect(ConnectRefusal("\n").text == "the connection was closed")
    }
}

@Suite struct DatabaseAdviceTests {
    @Test("A fresh Debian is led from nothing to the tables, command by command.")
    func aFreshDebianIsLedFromNothingToTheTables() throws {
        let fresh = try advice(isInstalled: false)
        #expect(fresh.connecting(.noServer, target()) == "sudo apt install postgresql")
        let installed = try advice()
        #expect(installed.connecting(.noServer, target()) == "sudo systemctl start postgresql")
        #expect(installed.connecting(.noRole, target()) == "sudo -u postgres createuser likesd")
        #expect(installed.connecting(.noDatabase, target()) == "sudo -u postgres createdb -O likesd likes")
        #expect(installed.migrate == "sudo -u likesd likesctl migrate")
    }

    @Test("Commands name the server, and what a shell would take apart is quoted.")
    func commandsNameTheServerAndQuoteWhatAShellWouldTakeApart() throws {
        let installed = try advice()
        let elsewhere = target(host: "/my pg", port: "5433", database: "it's", role: "a b")
        #expect(
            installed.connecting(.noDatabase, elsewhere)
                == "sudo -u postgres createdb -h '/my pg' -p 5433 -O 'a b' 'it'\\''s'")
        #expect(
            installed.connecting(.noRole, target(host: "localhost", port: "5433"))
                == "sudo -u postgres createuser -p 5433 likesd")
        #expect(
            installed.connecting(.noRole, target(host: "db.example"))
                == "createuser -h db.example -U postgres likesd")
        #expect(
            installed.connecting(.noPermission, target(role: "x\"y"))
                == "sudo -u postgres psql -c 'GRANT CONNECT ON DATABASE \"likes\" TO \"x\"\"y\"'")
        #expect(
            installed.permission(target())
                == "sudo -u postgres psql -d likes -c 'GRANT USAGE ON SCHEMA public TO \"likesd\"; "
                + "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO \"likesd\"'")
        // A quote is one also where a combining mark follows it.
        #expect("a'\u{301}b".shellWord == "'a'\\''\u{301}b'" && "a\"\u{301}b".sqlName == "\"a\"\"\u{301}b\"")
        #expect("".shellWord == "''" && "é".shellWord == "'é'" && "$(x)".shellWord == "'$(x)'")
    }

    @Test(
        "Only what quote_ident could have written is taken for a name.",
        arguments: [
            ("public", true), ("a_1", true), ("\"The App\"", true), ("\"a\"\"b\"", true), ("\"\"\"\"", true),
            ("\"a\"\"b\"\"c\"", true), ("", false), ("\"", false), ("\"\"", false), ("a b", false), ("A", false),
            ("a;b", false), ("\"a\"b\"", false), ("\"a\" \"b\"", false), ("\"a", false), ("\"a\nb\"", false),
            ("\"a\u{9b}b\"", false), ("a\n\\! b", false), ("\"\"\"", false),
        ])
    func onlyWhatQuoteIdentCouldHaveWrittenIsTakenForAName(text: String, isName: Bool) {
        #expect((text.asSQLName == text) == isName)
    }

    @Test("A database that is gone is not made anew before its name and a restore were thought of.")
    func aDatabaseThatIsGoneIsNotMadeAnewBeforeARestoreWasConsidered() throws {
        #expect(
            try advice().connecting(.noDatabase, target(), hadTables: true)
                == "the database was dropped or renamed: a restore may be running: wait for it; if it was renamed, "
                + "give it its name back (ALTER DATABASE … RENAME); otherwise sudo -u postgres createdb -O likesd "
                + "likes, then restore a backup into it (/usr/share/doc/likesd/operations.md)")
    }

    @Test("Tables of another version lead to migrate, unless a restore runs, or to an upgrade.")
    func tablesOfAnotherVersionLeadToMigrateOrToAnUpgrade() throws {
        let advice = try advice()
        #expect(advice.version(Schema.version) == nil)
        #expect(
            advice.version(1)
                == SchemaFailure(
                    "the schema is at version 1, this likesd needs \(Schema.version) "
                        + "(while a restore is running, wait for it instead)", next: "sudo -u likesd likesctl migrate"))
        #expect(
            advice.version(99)
                == SchemaFailure(
                    "the schema is at version 99, this likesd knows \(Schema.version)",
                    next: "upgrade likesd on this host"))
        #expect(advice.version(nil)?.next?.hasPrefix("a restore may be running: wait for it; ") == true)
    }

    @Test("A server elsewhere is not installed here.")
    func aServerElsewhereIsNotInstalledHere() throws {
        #expect(
            try advice(isInstalled: false).connecting(.noServer, target(host: "db.example"))
                == "pg_isready -h db.example -p 5432 has to find it: start PostgreSQL there, or correct DATABASE_URL "
                + "in /etc/likesd/likesd.conf")
    }

    @Test("The setting to correct is named with its place.")
    func theSettingToCorrectIsNamedWithItsPlace() throws {
        let url = "postgresql://app:s3cret@localhost/likes"
        let inFile = try advice("DATABASE_URL=\(url)", name: "/x/y.conf")
        let password = "the password in DATABASE_URL in"
        #expect(inFile.connecting(.wrongPassword, target())?.hasPrefix("correct \(password) /x/y.conf, or") == true)
        let inEnvironment = try advice(environment: ["DATABASE_URL": url])
        #expect(
            inEnvironment.connecting(.noPassword, target())
                == "put the password of likesd into DATABASE_URL in the environment")
        let credential = try advice(credentials: [.databaseURL: Array(url.utf8)])
        #expect(credential.connecting(.unclear, target()) == "check the credential DATABASE_URL")
    }

    @Test("migrate is run with the daemon's settings, and no secret is repeated.")
    func migrateIsRunWithTheDaemonsSettingsAndRepeatsNoSecret() throws {
        let url = "postgresql://app:s3cret@localhost/likes"
        #expect(
            try advice(name: "/etc/likesd/likesd@b.conf").migrate
                == "sudo -u likesd likesctl migrate --config /etc/likesd/likesd@b.conf")
        #expect(
            try advice(credentials: [.databaseURL: Array(url.utf8)]).migrate
                == "sudo -u likesd CREDENTIALS_DIRECTORY=/run/credentials/likesd.service likesctl migrate")
        let same = "with the same DATABASE_URL in the environment, run"
        let inEnvironment = ["DATABASE_URL": url]
        #expect(try advice(environment: inEnvironment, user: "root").migrate == "\(same) likesctl migrate")
        #expect(
            try advice(environment: inEnvironment).migrate
                == "\(same) sudo -u likesd --preserve-env=DATABASE_URL likesctl migrate")
        let both = try advice(environment: ["DATABASE_URL": url, "REDIS_URL": "redis://:s3cret@r/1"], user: "root")
        let sameBoth = "with the same DATABASE_URL and REDIS_URL in the environment, run likesctl verify"
        #expect(both.likesctl(.verify).text == sameBoth)
        #expect(both.likesctl(.verify).sequel == "then, \(sameBoth)")
        let column = try #require(SchemaMisfit(["no-column", "counters", "public.counters", "version", "bigint"]))
        let command = column.remedy.command({ _ in "psql" }, likesctl: { both.likesctl($0) })
        #expect(command.hasSuffix(" without one \(sameBoth.replacing("run", with: "run psql &&")) --repair"))
    }

    @Test("migrate is to add the item types that the environment names.")
    func migrateIsToAddTheItemTypesThatTheEnvironmentNames() throws {
        let types = try advice(environment: ["ITEM_TYPES": "post,photo"])
        #expect(types.migrate == "sudo -u likesd ITEM_TYPES='post,photo' likesctl migrate")
        #expect(types.likesctlAgain(.migrate).text == "ITEM_TYPES='post,photo' likesctl migrate")
        #expect(types.likesctlAgain(.verify).text == "likesctl verify")
    }

    @Test("Whoever runs likesctl with sudo is told a command with sudo, as the same user.")
    func whoeverRunsLikesctlWithSudoIsToldACommandWithSudo() throws {
        let environment = ["REDIS_URL": "redis://r/1"]
        #expect(
            try advice(environment: environment, isUnderSudo: true).likesctlAgain(.repair).text
                == "sudo -u likesd REDIS_URL=redis://r:6379/1 likesctl verify --repair")
        #expect(try advice(user: "root", isUnderSudo: true).likesctlAgain(.migrate).text == "sudo likesctl migrate")
        #expect(
            try advice(environment: ["REDIS_URL": "redis://:s3cret@r/1"], isUnderSudo: true).likesctlAgain(.verify).text
                == "with the same REDIS_URL in the environment, run "
                + "sudo -u likesd --preserve-env=REDIS_URL likesctl verify")
    }

    @Test("Whoever runs likesctl is told a command with the same settings; only verify needs those of Redis.")
    func whoeverRunsLikesctlIsToldTheSameSettings() throws {
        let named = try advice(environment: ["REDIS_URL": "redis://r/1"], name: "./my likesd.conf")
        #expect(named.likesctlAgain(.migrate).text == "likesctl migrate --config './my likesd.conf'")
        #expect(
            named.likesctlAgain(.repair).text
                == "REDIS_URL=redis://r:6379/1 likesctl verify --repair --config './my likesd.conf'")
    }

    @Test("Where the system user is another than the role, the role is to be named; else pg_hba.conf needs a line.")
    func whereUserAndRoleDifferTheRoleIsNamedElseAnHBALineIsAdvised() throws {
        let installed = try advice()
        #expect(
            installed.connecting(.otherIdentity, target(role: "app"))
                == "name the role likesd in DATABASE_URL in /etc/likesd/likesd.conf, "
                + "or connect over TCP with a password"
        )
        let reload = "sudo -u postgres psql -c 'SELECT pg_reload_conf()'"
        #expect(
            installed.connecting(.notLetIn, target())
                == "add the line 'local \"likes\" \"likesd\" peer' to PostgreSQL's pg_hba.conf, then: \(reload)")
        #expect(
            installed.connecting(.notLetIn, target(host: "127.0.0.1"))?.contains(
                "'host \"likes\" \"likesd\" 127.0.0.1/32 scram-sha-256'") == true)
    }

    @Test("No advice has more than one line, and only a starting server is left alone.")
    func noAdviceHasMoreThanOneLineAndOnlyAStartingServerIsLeftAlone() throws {
        for reason in ConnectRefusal.Reason.allCases {
            let next = try advice().connecting(reason, target())
            #expect((next == nil) == (reason == .serverStarting))
            #expect(next?.contains("\n") != true)
        }
    }
}

@Suite struct RedisAdviceTests {
    @Test(
        "What Redis or hiredis says leads to the next command, or to the setting.",
        arguments: [
            ("redis://localhost", "Connection refused", "sudo systemctl start redis-server"),
            ("redis://localhost:7000", "Connection refused", "redis-cli -h localhost -p 7000 ping has to find it"),
            (
                "redis://h", "Connection timed out",
                "redis-cli -h h -p 6379 ping has to find it: start Redis there, or correct"
            ),
            ("redis://h", "AUTH: WRONGPASS invalid username-password pair", "correct the password in REDIS_URL in "),
            ("redis://h", "INFO server: NOAUTH Authentication required.", "put the password into REDIS_URL in "),
            (
                "redis://h", "AUTH: ERR Client sent AUTH, but no password is set",
                "take the password out of REDIS_URL in "
            ),
            ("redis://h", "SELECT: ERR DB index is out of range", "name a lower database in REDIS_URL in "),
            (
                "unix:///run/redis/redis-server.sock", "No such file or directory",
                "sudo systemctl start redis-server, with 'unixsocket /run/redis/redis-server.sock' in /etc/redis/"
            ),
            (
                "unix:///r.sock", "No such file or directory",
                "start Redis with 'unixsocket /r.sock', or correct REDIS_URL"
            ),
            ("unix:///r.sock", "Permission denied", "sudo usermod -aG redis likesd && sudo systemctl restart likesd"),
        ])
    func whatRedisOrHiredisSaysLeadsToTheNextCommandOrSetting(url: String, reason: String, next: String) throws {
        #expect(try advice("REDIS_URL=\(url)").redis(reason)?.hasPrefix(next) == true)
    }

    @Test(
        "The service that is to be restarted is the one whose file it is.",
        arguments: [
            ("/etc/likesd/likesd.conf", "likesd"), ("/etc/likesd/likesd@two.conf", "likesd@two"),
            ("/etc/likesd/likesd@two;x.conf", "'likesd@two;x'"), ("/etc/likesd/likesd@a/b.conf", "likesd"),
            ("/home/ann/likesd@two.conf", "likesd"), ("/etc/likesd/other.conf", "likesd"),
        ])
    func theServiceToRestartIsTheOneWhoseFileItIs(file: String, unit: String) throws {
        let advised = try advice("REDIS_URL=unix:///r.sock", name: file).redis("Permission denied")
        #expect(advised == "sudo usermod -aG redis likesd && sudo systemctl restart \(unit)")
    }

    @Test(
        "What a standby has from its primary is to be corrected there, and nothing sends anybody to DATABASE_URL.",
        arguments: ConnectRefusal.Reason.allCases)
    func whatAStandbyHasFromItsPrimaryIsToBeCorrectedThere(reason: ConnectRefusal.Reason) throws {
        let standby = try advice(database: .databaseReplicaURLs)
        let next = standby.connecting(reason, target(host: "db2")) ?? ""
        #expect(!next.contains("DATABASE_URL"))
        switch reason {
        case .noRole, .roleMayNotLogIn, .wrongPassword, .noDatabase, .noPermission:
            #expect(next.hasPrefix("correct that on the primary that it follows, or correct DATABASE_REPLICA_URLS"))
        case .noServer, .noPassword, .unclear: #expect(next.contains("DATABASE_REPLICA_URLS"))
        case .otherIdentity, .notLetIn: #expect(next.contains("pg_hba.conf"))
        case .serverStarting, .tooManyConnections: break
        }
        let tables = "likesd_schema, item_types, lanes, likesd_hosts, counters"
        #expect(
            standby.standbyPermission(target(role: "reader"))
                == "on the primary that it follows, GRANT SELECT ON \(tables) TO \"reader\"")
    }

    @Test("A Redis that is not installed is to be installed, and what is no matter of an operator has no advice.")
    func aMissingRedisIsToBeInstalledAndOtherFailuresHaveNoAdvice() throws {
        #expect(try advice(isInstalled: false).redis("Connection refused") == "sudo apt install redis-server")
        #expect(try advice().redis("it is a replica") == nil)
        #expect(try advice("REDIS_URL=redis://h").redis("Server closed the connection") == nil)
    }

    @Test(
        "What a Sentinel says leads to the next command or setting.",
        arguments: [
            (
                "NOAUTH Authentication required.",
                "put the Sentinels' password into REDIS_URL in /etc/likesd/likesd.conf"
            ),
            ("WRONGPASS invalid username-password pair", "correct sentinel_password in REDIS_URL"),
            ("ERR AUTH <password> called without any password configured", "take sentinel_password out of REDIS_URL"),
            ("NOPERM no permissions", "let the Sentinels' user do it: ACL SETUSER"),
            ("Connection refused", "redis-cli -h h1 -p 7 ping has to find it: start the Sentinel there, or correct"),
        ])
    func whatASentinelSaysLeadsToTheNextCommandOrSetting(reason: String, next: String) throws {
        let advice = try advice("REDIS_URL=redis-sentinel://h1:7,h2/0#m")
        #expect(advice.sentinel(.tcp(host: "h1", port: 7), reason).hasPrefix(next))
        #expect(advice.sentinel(.tcp(host: "h1", port: 7), .refused(reason)).hasPrefix(next))
    }

    @Test("A server that the Sentinels name and that does not answer is looked for, or another one promoted.")
    func aServerThatTheSentinelsNameIsLookedForOrAnotherOnePromoted() throws {
        let advice = try advice("REDIS_URL=redis-sentinel://h1:7,h2/0#m")
        let address = RedisEndpoint.Address.tcp(host: "10.0.0.1", port: 6_379)
        #expect(
            advice.redis("Connection refused", at: address)
                == "redis-cli -h 10.0.0.1 -p 6379 ping has to find it: start Redis there, or have another server "
                + "promoted: redis-cli -h h1 -p 7 sentinel failover m")
        #expect(advice.redis("NOAUTH", at: address)?.hasSuffix("redis-sentinel://:PASSWORD@host:26379/0#name") == true)
        #expect(advice.redis("it is too old", at: address) == nil)
        let unknown = advice.sentinel(address, .unknownName)
        #expect(unknown.hasSuffix("which is one of those that redis-cli -h 10.0.0.1 -p 6379 sentinel masters lists"))
    }

    @Test("A password for the Sentinels is not repeated in a command.")
    func aPasswordForTheSentinelsIsNotRepeatedInACommand() throws {
        let url = ["REDIS_URL": "redis-sentinel://h?sentinel_password=hush#m", "DATABASE_URL": "dbname=likes"]
        let text = try advice(environment: url).likesctl(.verify).text
        #expect(!text.contains("hush") && text.contains("with the same REDIS_URL in the environment"))
    }

    @Test("The reason is found in all that libpq said, of which only the beginning is shown.")
    func theReasonIsFoundInAllThatLibpqSaid() {
        let filler = String(repeating: "connection to server at \"a\" failed: Something\n", count: 40)
        let refusal = ConnectRefusal(filler + "FATAL:  password authentication failed for user \"u\"\n")
        #expect(refusal.reason == .wrongPassword)
        #expect(refusal.text.utf8.count <= 512)
    }
}
