import Glibc
import Testing

@testable import likesd

@Suite struct DatabaseHostsTests {
    private static let several = "postgresql://u@one:5433,two,three:5434/likes"

    private func keywords(_ settings: [(keyword: String, value: String)]) -> [String: String] {
        Dictionary(uniqueKeysWithValues: settings.map { ($0.keyword, $0.value) })
    }

    @Test(
        "Where there is one server, or the URL chooses by itself, nothing is asked for.",
        arguments: [
            "postgresql:///likes", "postgresql://one/likes", "host=one", "no url",
            several + "?target_session_attrs=any",
        ])
    func noChoice(url: String) {
        #expect(DatabaseHosts(of: url, for: .lane).preferences.isEmpty)
        #expect(DatabaseHosts(of: url, for: .reader).preferences.isEmpty)
    }

    @Test("Of several servers the lane wants the one that takes writes.")
    func lane() {
        var hosts = DatabaseHosts(of: Self.several, for: .lane)
        for _ in 0..<3 {
            #expect(keywords(hosts.preferences) == ["target_session_attrs": "read-write"])
            hosts.refused()
        }
    }

    @Test("The reader wants the primary, after that failed any, and the primary again once it was connected.")
    func reader() {
        var hosts = DatabaseHosts(of: Self.several, for: .reader)
        #expect(keywords(hosts.preferences) == ["target_session_attrs": "primary"])
        hosts.refused()
        #expect(keywords(hosts.preferences) == ["target_session_attrs": "any"])
        hosts.connected()
        #expect(keywords(hosts.preferences) == ["target_session_attrs": "primary"])
    }

    @Test("A server that does not answer is tried last the next time, its port with it.")
    func hung() {
        var hosts = DatabaseHosts(of: Self.several, for: .lane)
        #expect(keywords(hosts.order([:])) == ["host": "one,two,three", "port": "5433,,5434"])
        hosts.hung(host: "one", address: nil, port: "5433")
        #expect(keywords(hosts.order([:])) == ["host": "two,three,one", "port": ",5434,5433"])
        hosts.hung(host: "two", address: nil, port: "5432")
        #expect(keywords(hosts.order([:])) == ["host": "three,one,two", "port": "5434,5433,"])
        hosts.hung(host: "elsewhere", address: nil, port: nil)
        #expect(keywords(hosts.order([:])) == ["host": "three,one,two", "port": "5434,5433,"])
    }

    @Test("Of a name with several addresses the one that hung is tried last, so that each gets its turn.")
    func hungAddress() {
        for (url, rest) in [("postgresql://u@one/likes", ""), ("postgresql://u@one,10.0.0.9/likes", "10.0.0.9")] {
            var hosts = DatabaseHosts(of: url, for: .lane)
            let answer: NameLookup.Answer = ["one": .success(["10.0.0.1", "10.0.0.2", "10.0.0.3"])]
            var firsts: [String] = []
            for _ in 0..<4 {
                // A host that is an address itself has none in the list of addresses.
                let order = keywords(hosts.order(answer))
                let names = order["host", default: ""].split(separator: ",")
                let addresses = order["hostaddr", default: ""].split(separator: ",", omittingEmptySubsequences: false)
                let name = String(names[0])
                if name == rest {
                    hosts.hung(host: name, address: name, port: "5432")
                    continue
                }
                firsts.append(String(addresses[0]))
                hosts.hung(host: name, address: firsts.last, port: "5432")
            }
            let tried = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.1"]
            #expect(firsts == (rest.isEmpty ? tried : Array(tried.prefix(2))))
        }
    }

    @Test("An address that is gone from the name leaves the others in their order.")
    func goneAddress() {
        var hosts = DatabaseHosts(of: "postgresql://u@one/likes", for: .lane)
        hosts.hung(host: "one", address: "10.0.0.7", port: nil)
        let answer: NameLookup.Answer = ["one": .success(["10.0.0.1", "10.0.0.2"])]
        #expect(keywords(hosts.order(answer)) == ["host": "one,one", "hostaddr": "10.0.0.1,10.0.0.2"])
    }

    @Test("Each address of a name is tried, with the name kept; paths and addresses need no lookup.")
    func addresses() {
        let url = "host=one,/run/postgresql,10.0.0.1,::1,two,named port=5433 hostaddr=,,,,,10.0.0.9"
        let hosts = DatabaseHosts(of: url, for: .lane)
        #expect(hosts.names == ["one", "two"])
        let answer: NameLookup.Answer = [
            "one": .success(["10.0.0.3", "::3"]), "two": .failure(LookupFailure(text: "unknown")),
        ]
        #expect(
            keywords(hosts.order(answer)) == [
                "host": "one,one,/run/postgresql,10.0.0.1,::1,named", "hostaddr": "10.0.0.3,::3,,,,10.0.0.9",
                "port": "5433,5433,5433,5433,5433,5433",
            ])
    }

    @Test("A name that takes long keeps nobody from the others, answers as it did before, and is found in the end.")
    func slowLookup() throws {
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
    func lookup() throws {
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
