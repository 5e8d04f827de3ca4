import LikesProtocol
import LikesctlCommands
import Testing

/// What command lines mean, and what is said about those that mean nothing.
@Suite struct InvocationTests {
    private func refusal(_ line: String) -> Invocation.Refusal? {
        do throws(Invocation.Refusal) {
            _ = try Invocation(line.split(separator: " ").map(String.init))
            return nil
        } catch {
            return error
        }
    }

    private func options(_ line: String) throws -> CommandOptions {
        try Invocation(line.split(separator: " ").map(String.init)).options
    }

    @Test("Options may stand anywhere up to '--', their values in the next word or behind '='")
    func optionsMayStandAnywhere() throws {
        for line in [
            "--socket /s like 1 post:2 --json", "like --json --socket=/s 1 post:2", "like 1 --json --socket /s post:2",
        ] {
            let invocation = try Invocation(line.split(separator: " ").map(String.init))
            #expect(invocation.task == .run(.like, arguments: ["1", "post:2"]))
            #expect(invocation.options.socketPath == "/s")
            #expect(invocation.options.json)
        }
        let invocation = try Invocation(["like", "--", "-5", "--json"])
        #expect(invocation.task == .run(.like, arguments: ["-5", "--json"]))
        #expect(!invocation.options.json)
    }

    @Test("Help and version win over all else that is understood")
    func helpAndVersionWin() throws {
        for line in ["--help", "-h", "help"] {
            #expect(try Invocation(line.split(separator: " ").map(String.init)).task == .help(nil))
        }
        #expect(try Invocation(["bench", "--repair", "--help"]).task == .help(.bench))
        #expect(try Invocation(["help", "verify"]).task == .help(.verify))
        #expect(try Invocation(["like", "-V"]).task == .version)
        #expect(refusal("") != nil)
    }

    @Test("Each option of a command sets what it names, and nothing is set twice by another")
    func eachOptionSetsWhatItNames() throws {
        let values = [
            "--socket": "/s", "--config": "/c", "--partitions": "4", "--sample": "5%", "--type": "reel",
            "--slice": "9", "--items-per-pass": "9", "--snapshot-seconds": "9", "--rate": "9", "--connections": "9",
            "--pipeline": "9", "--duration": "9", "--requests": "9", "--warmup": "9", "--mix": "liked", "--users": "9",
            "--items": "9", "--keys": "hot", "--batch": "9", "--seed": "9",
            "--likes": "9", "--counts": "9", "--likes-stored": "9", "--hosts": "9", "--cold": "9", "--ttl-ms": "9",
            "--peak": "9", "--after": "post:9", "--limit": "9", "--format": "binary", "--user": "9", "--item": "reel:9",
            "--wait": "9",
        ]
        for command in Command.allCases {
            var seen: [CommandOptions] = [CommandOptions()]
            for option in command.description.options {
                var options = CommandOptions()
                let value = command == .migrate && option.name == "--type" ? "9=reel" : values[option.name]
                try options.set(option.name, to: option.value == nil ? "" : #require(value), of: command)
                #expect(!seen.contains(options), "\(command) \(option.name)")
                seen.append(options)
            }
        }
    }

    @Test("An option takes a value in all commands that have it or in none, and is explained as a phrase")
    func optionsOfOneNameAgree() {
        var byName: [String: CommandOption] = [:]
        for command in Command.allCases {
            let names = command.description.options.map(\.name)
            #expect(Set(names).count == names.count, "\(command)")
            for option in command.description.options {
                #expect((byName[option.name] ?? option).value == nil ? option.value == nil : option.value != nil)
                byName[option.name] = option
                #expect(option.excluded.allSatisfy(names.contains), "\(command) \(option.name)")
                #expect(!option.summary.hasSuffix("."), "\(command) \(option.name)")
                #expect(option.explanation.hasSuffix("."), "\(command) \(option.name)")
            }
        }
    }

    @Test(
        "A command line that means nothing is wrong usage and says what is right",
        arguments: [
            ("", "--help"), ("lik 1 post:1", "there is no command 'lik': there are like, "),
            ("like 1", "an argument is missing\nusage: likesctl like [--socket PATH] [--json] USER ITEM"),
            ("ping a b", "too many arguments"), ("like -5 post:1", "ids are whole numbers"),
            ("ping --json=1", "--json takes no value"), ("ping --socket", "--socket needs a value"),
            ("bench --slice 3", "bench takes no --slice"), ("ping --config x", "it asks the daemon"),
            ("plan --socket x", "plan takes no --socket: it calculates and asks nobody"),
            ("plan", "plan needs --likes, --counts, --users and --likes-stored\nNext: add what you expect, as in "),
            ("plan --likes 1 --counts 1 --users 1", "plan needs --likes-stored\n"),
            ("plan --counts 1 --users 1", "plan needs --likes and --likes-stored\n"),
            ("plan --cold 101", "--cold takes a whole number from 0 to 100, not '101'"),
            ("plan --users 0", "--users takes a whole number from 1 to 1000000000000, not '0'"),
            ("plan 5 --likes 1", "too many arguments"),
            ("migrate --socket x", "it asks PostgreSQL"), ("metrics --json", "the format of Prometheus"),
            ("verify --quiet --progress", "exclude each other"), ("migrate --json --sql", "exclude each other"),
            ("migrate --adopt --adopt-undo", "exclude each other"), ("migrate --adopt --sql", "exclude each other"),
            ("migrate --adopt-undo --drop-indexes", "exclude each other"),
            ("migrate --adopt-undo --type 9=story", "exclude each other"),
            ("migrate --type reel", "--type takes a number from 0 to 32767, =, and the name of an item type"),
            ("migrate --type 9=a --type 9=b", "9 and b belong to each other, or to none"),
            ("migrate --drop-indexes", "--drop-indexes needs --adopt or --adopt-finish"),
            ("migrate --wait 5", "--wait needs --adopt, --adopt-finish or --adopt-undo"),
            ("migrate --adopt --wait 0", "--wait takes a whole number from 1 to 86400, not '0'"),

            ("bench --pipeline 2 --rate 3", "exclude each other"), ("bench --mix like", "add --write"),
            ("verify --slice 0", "--slice takes a whole number from 1 to 1000000, not '0'"),
            ("bench --warmup x", "--warmup takes seconds from 0 to 604800, not 'x'"),
            ("import --format xml", "--format takes csv or binary, not 'xml'"),
            ("import --abandon --resume", "exclude each other"), ("forget", "an argument is missing"),
            ("forget --scan 1", "forget takes no --scan"), ("export --user -1", "from 0 to 9223372036854775807"),
            ("remove --socket x post:1", "it asks PostgreSQL"),
            ("info nosuch", "there is no section 'nosuch': there are server, clients, memory, "),
        ])
    func wrongUsageSaysWhatIsRight(line: String, words: String) throws {
        let failure = try #require(refusal(line)).failure
        #expect(failure.status == .usage)
        #expect(failure.code == "USAGE")
        #expect(failure.text.contains(words), "\(failure.text)")
    }

    @Test("A wrong command line that asks for JSON where there is any is told in JSON")
    func wrongUsageIsToldInJSON() {
        #expect(refusal("count --json")?.json == true)
        #expect(refusal("--json lik")?.json == true)
        #expect(refusal("--json")?.json == true)
        #expect(refusal("nosuch --json")?.json == true)
        #expect(refusal("health --bogus --json")?.json == true)
        #expect(refusal("nosuch like 1 --socket --json")?.json == false)
        #expect(refusal("metrics --bogus --json")?.json == false)
        #expect(refusal("metrics --json")?.json == false)
        #expect(refusal("like -- --json")?.json == false)
    }

    @Test("Of several mistakes the first is told")
    func ofSeveralMistakesTheFirstIsTold() throws {
        #expect(try #require(refusal("nosuch --bogus other")).failure.message.contains("no command 'nosuch'"))
        #expect(try #require(refusal("--bogus nosuch")).failure.message.contains("no option '--bogus'"))
    }

    @Test("More items than one request takes are refused before they are sent", arguments: ["count", "liked 7"])
    func moreItemsThanOneRequestTakesAreRefused(line: String) throws {
        let words = line.split(separator: " ").map(String.init)
        func items(_ count: Int) -> [String] { (0..<count).map { "post:\($0)" } }
        _ = try Invocation(words + items(1_000))
        #expect(throws: Invocation.Refusal.self) { try Invocation(words + items(1_001)) }
    }

    @Test("INFO's sections are taken in either case, and so are the names for all of them")
    func sectionsAreTakenInEitherCase() throws {
        for section in ["server", "CPU", "All", "everything", "default"] {
            #expect(try Invocation(["info", section]).task == .run(.info, arguments: [section]))
        }
    }
}

/// What scripts are told.
@Suite struct FailureTests {
    @Test("Each code of the daemon has its exit status, and each status of an error one code")
    func eachCodeHasItsExitStatus() {
        for code in ErrorCode.allCases where code != .noProto {
            #expect(LikesctlCommands.ExitStatus(code).code == code.rawValue)
        }
        #expect(LikesctlCommands.ExitStatus(.noProto) == .refused)
        #expect(LikesctlCommands.ExitStatus(nil) == .refused)
        let codes = LikesctlCommands.ExitStatus.allCases.compactMap(\.code)
        #expect(Set(codes).count == codes.count)
    }

    @Test("An error has one shape in JSON, whoever says it")
    func anErrorHasOneShape() {
        let own = Failure(.timedOut, "no answer", next: "wait")
        #expect(own.json.text == #"{"error":{"code":"TIMEOUT","message":"no answer","next":"wait"}}"#)
        #expect(own.text == "no answer\nNext: wait")
        let daemons = Failure(ReceivedError(Array("NOPROTO 2 and 3".utf8)))
        #expect(
            daemons.json.text
                == #"{"error":{"code":"NOPROTO","message":"2 and 3","next":"use 'HELLO 2' or 'HELLO 3'"}}"#)
        #expect(daemons.text == "NOPROTO 2 and 3")
        let advised = Failure(ReceivedError(Array("UNAVAILABLE it is read-only; next: name the primary; wait".utf8)))
        #expect(
            advised.json.text
                == #"{"error":{"code":"UNAVAILABLE","message":"it is read-only","next":"name the primary; wait"}}"#)
        #expect(advised.text == "UNAVAILABLE it is read-only; next: name the primary; wait")
        let unknown = Failure(ReceivedError(Array("NEW thing".utf8)))
        #expect(unknown.json.text == #"{"error":{"code":"NEW","message":"thing","next":null}}"#)
    }

    @Test("What to do is taken only from messages that are the daemon's own, not from those that repeat a request")
    func whatToDoIsTakenOutOfTheDaemonsOwnMessagesAlone() {
        for word in ["ERR", "NOPROTO", "NEW"] {
            let failure = Failure(ReceivedError(Array("\(word) bad item 'x; next: y:1'".utf8)))
            #expect(failure.message == "bad item 'x; next: y:1'")
            #expect(failure.next == ErrorCode(rawValue: word).map { Markup.plain($0.remedy) })
        }
        for code in ErrorCode.allCases where code.advises {
            let failure = Failure(ReceivedError(Array("\(code.rawValue) so; next: go".utf8)))
            #expect(failure.message == "so")
            #expect(failure.next?.hasSuffix("go") == true)
        }
    }

    @Test(
        "Where the request is to be repeated, that comes before what the operator may do",
        arguments: [
            (ErrorCode.uncertain, "repeat the request, or ask LIKED; then: GRANT"),
            (.busy, "repeat a little later; then: GRANT"), (.unavailable, "GRANT"), (.noPermission, "GRANT"),
        ])
    func whereTheRequestIsToBeRepeatedThatComesFirst(code: ErrorCode, next: String) {
        #expect(Failure(ReceivedError(Array("\(code.rawValue) refused; next: GRANT".utf8))).next == next)
    }

    @Test("Marks in the tables' texts are pieces; one without its partner is text")
    func marksArePieces() {
        #expect(
            Markup.pieces("a `b c` *d*, 2 * 3") == [
                .text("a "), .literal("b c"), .text(" "), .name("d"), .text(", 2 * 3"),
            ])
        #expect(Markup.pieces("``") == [.text("``")])
        #expect(Markup.plain("`--x` of `a b`, *n*") == "--x of 'a b', N")
        #expect(Markup.wrapped("aa bb cccccc d", columns: 5) == ["aa bb", "cccccc", "d"])
    }
}
