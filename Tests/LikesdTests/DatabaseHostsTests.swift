import Glibc
import LikesStorage
import Testing

@testable import likesd

@Suite struct DatabaseHostsTests {
    private static let several = "postgresql://u@one:5433,two,three:5434/likes"

    private func keywords(_ settings: [(keyword: String, value: String)]) -> [String: String] {
        Dictionary(uniqueKeysWithValues: settings.map { ($0.keyword, $0.value) })
    }

    private func shown(_ url: String, _ answer: NameLookup.Answer = [:]) -> [String] {
        DatabaseHosts(of: url).servers(answer).map(\.name)
    }

    @Test(
        "Where there is one server nothing is to be chosen.",
        arguments: ["postgresql:///likes", "host=one", "no url"])
    func whereThereIsOneServerNothingIsToBeChosen(url: String) {
        let hosts = DatabaseHosts(of: url)
        #expect(!hosts.isChoice(hosts.servers([:])))
    }

    @Test("Lists that do not fit each other are left to libpq, which refuses them.")
    func listsThatDoNotFitEachOtherAreLeftToLibpq() {
        #expect(shown("host=a,b port=1,2,3").isEmpty)
        #expect(shown("host=a,b hostaddr=10.0.0.1").isEmpty)
    }

    @Test("Servers are named as people would, with the port where it is not PostgreSQL's own.")
    func serversAreNamedAsPeopleWould() {
        #expect(shown(Self.several) == ["one:5433", "two", "three:5434"])
        #expect(shown("host=/run/a,::1,/run/b port=5432,5433,5434") == ["/run/a", "[::1]:5433", "/run/b:5434"])
        #expect(shown("hostaddr=10.0.0.1,10.0.0.2 port=5433") == ["10.0.0.1:5433", "10.0.0.2:5433"])
        #expect(shown("postgresql://,two/likes") == ["the local server", "two"])
    }

    @Test("Of a name with several addresses each is a server; those of this machine are one.")
    func ofANameWithSeveralAddressesEachIsAServer() throws {
        let answer: NameLookup.Answer = [
            "one": .success(["10.0.0.1", "10.0.0.2"]), "localhost": .success(["127.0.0.1", "::1"]),
        ]
        #expect(shown("postgresql://one/likes", answer) == ["one (10.0.0.1)", "one (10.0.0.2)"])
        let hosts = DatabaseHosts(of: "postgresql://localhost:5433/likes")
        let servers = hosts.servers(answer)
        #expect(!hosts.isChoice(servers))
        #expect(
            keywords(DatabaseHosts.settings(servers)) == [
                "host": "localhost,localhost", "hostaddr": "127.0.0.1,::1", "port": "5433,5433",
            ])
    }

    @Test("Of several servers one whose name has no address is left out, and the other is still looked at.")
    func ofSeveralServersOneWithoutAnAddressIsLeftOut() {
        let answer: NameLookup.Answer = [
            "one": .failure(LookupFailure(text: "unknown")), "two": .success(["10.0.0.2"]),
        ]
        let hosts = DatabaseHosts(of: "postgresql://one,two/likes")
        #expect(hosts.servers(answer).map(\.name) == ["two"])
        #expect(hosts.isChoice(hosts.servers(answer)))
    }

    @Test(
        "Without a primary the reader takes a standby, unless the URL wants none.",
        arguments: [
            ("any", true), ("standby", true), ("prefer-standby", true), ("read-only", true), ("primary", false),
            ("read-write", false),
        ])
    func withoutAPrimaryTheReaderTakesAStandbyUnlessTheURLWantsNone(attributes: String, allowsStandby: Bool) {
        #expect(DatabaseHosts(of: Self.several).allowsStandby)
        #expect(
            DatabaseHosts(of: Self.several + "?target_session_attrs=" + attributes).allowsStandby == allowsStandby)
    }

    @Test("Each address of a name is tried, with the name kept; paths and addresses need no lookup.")
    func eachAddressOfANameIsTriedWithTheNameKept() {
        let url = "host=one,/run/postgresql,10.0.0.1,::1,two,named port=5433 hostaddr=,,,,,10.0.0.9"
        let hosts = DatabaseHosts(of: url)
        #expect(hosts.names == ["one", "two"])
        let answer: NameLookup.Answer = [
            "one": .success(["10.0.0.3", "::3"]), "two": .failure(LookupFailure(text: "unknown")),
        ]
        #expect(
            keywords(DatabaseHosts.settings(hosts.servers(answer))) == [
                "host": "one,one,/run/postgresql,10.0.0.1,::1,named", "hostaddr": "10.0.0.3,::3,,,,10.0.0.9",
                "port": "5433,5433,5433,5433,5433,5433",
            ])
    }

    @Test("A name that takes long keeps nobody from the others, answers as it did before, and is found in the end.")
    func aNameThatTakesLongKeepsNobodyFromTheOthers() throws {
        let loop = try EventLoop()
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        let (gate, key) = (ends[0], ends[1])
        let slow: NameLookup.Resolver = { name in
            var byte: UInt8 = 0
            guard name == "slow", read(gate, &byte, 1) == 1, byte == 1 else { return .success(["10.0.0.1"]) }
            return .failure(LookupFailure(text: "slow: not today"))
        }
        let lookup = NameLookup(["slow", "quick"], loop: loop, resolver: slow)
        func answer() throws -> NameLookup.Answer {
            var answers: [NameLookup.Answer] = []
            try lookup.start { answers.append($0) }
            while answers.isEmpty { if try loop.wait() { try loop.dispatch() } }
            #expect(try answers[0]["quick"]?.get() == ["10.0.0.1"])
            return answers[0]
        }
        func failure(_ answer: NameLookup.Answer) -> String? {
            guard case .failure(let failure) = answer["slow"] else { return nil }
            return failure.text
        }
        #expect(try failure(answer()) == "slow: no name server has answered yet")
        #expect(write(key, [1], 1) == 1)
        #expect(try failure(answer()) == "slow: not today")
        #expect(try failure(answer()) == "slow: not today")
        // The lookup that is still under way is the next one's.
        #expect(write(key, [0], 1) == 1)
        #expect(try answer()["slow"]?.get() == ["10.0.0.1"])
        #expect(close(key) == 0)
    }

    @Test("A name is looked up beside the loop, a name that is none says why, and a second asker gets the answer.")
    func aNameIsLookedUpBesideTheLoop() throws {
        let loop = try EventLoop()
        let lookup = NameLookup(["localhost", "no-such-name.invalid"], loop: loop)
        var answers: [NameLookup.Answer] = []
        try lookup.start { _ in Issue.record("forgotten") }
        lookup.forget()
        try lookup.start { answers.append($0) }
        while answers.isEmpty { if try loop.wait() { try loop.dispatch() } }
        #expect(answers.count == 1)
        #expect(try answers[0]["localhost"]?.get().contains("127.0.0.1") == true)
        #expect(throws: LookupFailure.self) { try answers[0]["no-such-name.invalid"]?.get() }
    }
}
