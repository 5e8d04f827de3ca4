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
        hosts.hung(host: "one", port: "5433")
        #expect(keywords(hosts.order([:])) == ["host": "two,three,one", "port": ",5434,5433"])
        hosts.hung(host: "two", port: "5432")
        #expect(keywords(hosts.order([:])) == ["host": "three,one,two", "port": "5434,5433,"])
        hosts.hung(host: "elsewhere", port: nil)
        #expect(keywords(hosts.order([:])) == ["host": "three,one,two", "port": "5434,5433,"])
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

    @Test("A name is looked up beside the loop, a name that is none says why, and a second asker gets the answer.")
    func lookup() throws {
        let loop = try EventLoop()
        let lookup = NameLookup(["localhost", "no-such-name.invalid"], loop: loop)
        var answers: [NameLookup.Answer] = []
        try lookup.start { _ in Issue.record("forgotten") }
        lookup.forget()
        try lookup.start { answers.append($0) }
        while answers.isEmpty { try loop.run() }
        #expect(answers.count == 1)
        #expect(try answers[0]["localhost"]?.get().contains("127.0.0.1") == true)
        #expect(throws: LookupFailure.self) { try answers[0]["no-such-name.invalid"]?.get() }
    }
}
