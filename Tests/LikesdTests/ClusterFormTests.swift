import LikesCore
import LikesProtocol
import LikesSettings
import LikesStorage
import Testing

@testable import TestSupport
@testable import likesd

/// What is said to a cluster's nodes, and what they answer, without a server.
@Suite struct ClusterFormTests {
    private static let generation = Generation(
        server: "a:b", database: DatabaseIdentity(system: "1", timeline: 1), token: "abc")
    private static let items = [1, 2].map { Item(type: 0, id: $0) }
    private static let two = items.map {
        SealedCounter(counter: CounterState(item: $0, count: 5, version: 7), seal: Seal(seconds: 1, digest: 1))
    }
    private static let kept = items.map { KeptCounter(item: $0, counter: nil, word: Array("x".utf8)) }
    private static let recent = [
        RecentLike(pair: Pair(user: 8, item: items[0]), add: true),
        RecentLike(pair: Pair(user: 9, item: items[1]), add: false),
    ]

    private func entry(_ part: AdmissionPart, _ kind: ChangeKind = .like) -> AdmissionEntry {
        AdmissionEntry(pair: Pair(user: 8, item: Self.items[0]), kind: kind, part: part)
    }

    // MARK: Commands

    /// The commands of a job, each as words; scripts' hashes as `#`.
    private func commands(_ job: RedisJob, _ style: RedisStyle) throws -> [String] {
        let configuration = try Configuration.load(file: nil, environment: [:])
        var place = RedisSlice.Place(channels: RedisChannels(database: 0, host: 255, node: "id"))
        place.marker = Array("m".utf8)
        return try job.slices(deadlineMs: 99, style).map { slice in
            var command = RedisCommand(types: configuration.itemTypes)
            slice.write(to: &command, hash: Array("#".utf8), configuration: configuration, at: place)
            return try words(of: command).map { $0.isEmpty ? "''" : $0 }.joined(separator: " ")
        }
    }

    private static let both = "counter:post:1 {counter:post:1}:version counter:post:2 {counter:post:2}:version"

    @Test("A node's scripts get all keys but the marker behind their number, so that they may be of several slots.")
    func aNodesScriptsGetAllKeysBehindTheirNumber() throws {
        let (generation, marker) = (Self.generation, Self.generation.marker)
        let words = try Self.two.map { try self.words($0) }.joined(separator: " ")
        #expect(
            try commands(.readCounters(generation, Self.items), .cluster) == ["EVALSHA # 1 m 4 \(Self.both)"])
        #expect(
            try commands(.setCounters(generation, Self.two, paceMs: 20), .cluster) == [
                "EVALSHA # 1 m 4 \(Self.both) \(marker) abc 99 3600 likesd:counters:0:id 20 \(words)"
            ])
        #expect(
            try commands(.tell(generation, Self.two, paceMs: 0), .cluster) == [
                "EVALSHA # 1 m 4 \(Self.both) \(marker) abc likesd:counters:0:id 0 \(words)"
            ])
        #expect(try commands(.drop(generation, Self.kept), .cluster) == ["EVALSHA # 0 4 \(Self.both) abc.x abc.x"])
        #expect(
            try commands(.keepRecent(Self.recent), .cluster) == [
                "EVALSHA # 0 2 recent_likes:8 recent_likes:9 86400 1000 1 post:1 post:2"
            ])
        #expect(
            try commands(.admit([entry(.both), entry(.hint), entry(.rate)]), .cluster) == [
                "EVALSHA # 0 6 rate:8:likes recent_likes:8 '' recent_likes:8 rate:8:likes recent_likes:8 100 60 "
                    + "post:1 post:1 ''"
            ])
        #expect(
            try commands(.identify(server: "a:b", IdentifyRequest(new: nil)), .cluster) == ["EVALSHA # 1 m '' ''"])
    }

    /// Its count, and its version with its seal.
    private func words(_ sealed: SealedCounter) throws -> String {
        var command = RedisCommand(types: ItemTypes.standard)
        command.begin(words: 1)
        command.word(sealed: sealed)
        return "\(sealed.counter.count) \(try words(of: command)[0])"
    }

    private func words(of command: RedisCommand) throws -> [String] {
        var reader = ReplyReader(limits: EdgeLimits.redisReply)
        reader.append(command.bytes)
        return try #require(try reader.next()).elements.map { String(decoding: $0.string ?? [], as: UTF8.self) }
    }

    @Test("Where scripts may use declared keys only, a command has one item, and the marker is looked at around all.")
    func aStrictNodesCommandsHaveOneItem() throws {
        let (generation, marker) = (Self.generation, Self.generation.marker)
        let keys = Self.items.map { "counter:post:\($0.id) {counter:post:\($0.id)}:version" }
        let words = try Self.two.map { try self.words($0) }
        #expect(
            try commands(.readCounters(generation, Self.items), .strictCluster)
                == ["MGET m", "MGET \(keys[0])", "MGET \(keys[1])", "MGET m"])
        #expect(try commands(.readCounters(generation, []), .strictCluster) == ["MGET m"])
        let setting = "\(marker) abc 99 3600 likesd:counters:0:id 20"
        #expect(
            try commands(.setCounters(generation, Self.two, paceMs: 20), .strictCluster) == [
                "MGET m", "EVALSHA # 2 \(keys[0]) \(setting) \(words[0])",
                "EVALSHA # 2 \(keys[1]) \(setting) \(words[1])", "MGET m",
            ])
        #expect(
            try commands(.drop(generation, Self.kept), .strictCluster)
                == ["EVALSHA # 2 \(keys[0]) abc.x", "EVALSHA # 2 \(keys[1]) abc.x"])
        #expect(
            try commands(.keepRecent(Self.recent), .strictCluster) == [
                "EVALSHA # 1 recent_likes:8 86400 1000 1 post:1", "EVALSHA # 1 recent_likes:9 86400 1000 0 post:2",
            ])
        let rate = "EVALSHA # 1 rate:8:likes 1 '' 100 60 ''"
        #expect(
            try commands(.admit([entry(.both), entry(.hint), entry(.rate), entry(.both, .unlike)]), .strictCluster)
                == [rate, "SISMEMBER recent_likes:8 post:1", "SISMEMBER recent_likes:8 post:1", rate, rate])
    }

    @Test("A node that imports a slot is asked for each rate by itself, behind ASKING.")
    func aNodeThatImportsASlotIsAskedForEachRateByItself() throws {
        let job = RedisJob.admit([entry(.rate), entry(.rate)], isAsking: true)
        #expect(
            try commands(job, .cluster) == Array(repeating: "EVALSHA # 1 rate:8:likes 1 '' 100 60 ''", count: 2))
        #expect(job.slices(deadlineMs: 0, .cluster).map(\.isAsking) == [true, true])
        #expect(!RedisJob.admit([entry(.rate)]).slices(deadlineMs: 0, .strictCluster)[0].isAsking)
    }

    // MARK: Replies

    /// The replies to a job's slices, in order; words are separated by blanks, or by ends of lines.
    private func replies(_ texts: [String], to job: RedisJob, _ style: RedisStyle = .cluster) throws -> RedisReplies {
        let slices = job.slices(deadlineMs: 0, style)
        var replies = RedisReplies(slicesLeft: slices.count, host: "h0")
        for (text, slice) in zip(texts, slices) { try take(text, of: slice, &replies) }
        return replies
    }

    private func take(_ text: String, of slice: RedisSlice, _ replies: inout RedisReplies) throws {
        var reader = ReplyReader(limits: EdgeLimits.redisReply)
        let lines =
            text.hasPrefix("-") ? [text] : text.split(separator: text.contains("\n") ? "\n" : " ").map(String.init)
        reader.append(lines.map { "\($0)\r\n" }.joined().utf8)
        replies.take(try #require(try reader.next()), of: slice)
    }

    @Test(
        "A report names what is elsewhere first; any other is a misfit.",
        arguments: [
            ("*3 :-1 :2 :0", [2], nil, 0), ("*4 :-2 :1 :2 :0", [1, 2], nil, 0), ("*3 :-1 :1 $3 OOM", [1], "OOM", 0),
            ("*5 :-1 :1 :1 :2 :0", nil, nil, 0), ("*6 :-1 :2 :0 :1 $1 5 $1 x", [2], nil, 1),
            ("*2 :-1 :2", nil, nil, 0), ("*3 :-1 :3 :0", nil, nil, 0), ("*3 :-3 :1 :0", nil, nil, 0),
        ] as [(String, [Int64]?, String?, Int)])
    func aReportNamesWhatIsElsewhereFirst(text: String, elsewhere: [Int64]?, refusal: String?, kept: Int) throws {
        let found = try replies([text], to: .setCounters(Self.generation, Self.two, paceMs: 20))
        #expect((found.failure == nil) == (elsewhere != nil), "\(text)")
        guard let elsewhere else { return }
        #expect(found.hasMoved && found.elsewhere.map(\.id) == elsewhere)
        #expect(found.refusal == refusal && found.kept.count == kept)
        let fill = try replies([text], to: .setCounters(Self.generation, Self.two, paceMs: nil))
        #expect(fill.elsewhere.isEmpty && fill.hasMoved, "a fill that finds no place is none")
    }

    @Test("What one server never says is a misfit from it.")
    func whatOneServerNeverSaysIsAMisfit() throws {
        let set = RedisJob.setCounters(Self.generation, Self.two, paceMs: 20)
        #expect(try replies(["*3 :-1 :2 :0"], to: set, .oneServer).failure != nil)
        #expect(try replies(["*2 :-2 :1"], to: .tell(Self.generation, Self.two, paceMs: 0), .oneServer).failure != nil)
        #expect(try replies(["-MOVED 1 h:1"], to: set, .oneServer).failure == .refused("MOVED 1 h:1"))
    }

    @Test("A rate that is elsewhere is asked for once more, and the node says where.")
    func aRateThatIsElsewhereIsAskedForOnceMore() throws {
        var found = try replies(["*2 :0 :2"], to: .admit([entry(.rate), entry(.both)]))
        #expect(found.hasMoved && found.slicesLeft == 0)
        let more = found.takeMore()
        #expect(more.map(\.kind) == [.rate, .hint] && more.allSatisfy { $0.range == 1..<2 })
        try take("-ASK 5 [::1]:7001", of: more[0], &found)
        #expect(found.verdicts[0] == .admitted(recent: false))
        guard case .elsewhere(let redirect?) = found.verdicts[1] else { throw Failure(text: "no redirect") }
        #expect(redirect.isAsk && redirect.port == 7_001)
        try take(":1", of: more[1], &found)
        #expect(found.takeMore().isEmpty && found.failure == nil)
        guard case .elsewhere = found.verdicts[1] else { throw Failure(text: "a hint is no admission") }
    }

    @Test(
        "A redirect names the host as the node does, or means the node's own.",
        arguments: [
            ("MOVED 5 b:7001", "b", false), ("ASK 5 ::1:7001", "::1", true), ("MOVED 5 :7001", "h0", false),
            ("MOVED 5 ?:7001", nil, false), ("TRYAGAIN Multiple keys", nil, false), ("MOVED 5 b:0", nil, false),
        ] as [(String, String?, Bool)])
    func aRedirectNamesTheHostAsTheNodeDoes(error: String, host: String?, isAsk: Bool) {
        let found = RedisRedirect(error: error, askedHost: "h0")
        #expect(found?.host == host && (found?.isAsk ?? false) == isAsk)
    }

    @Test(
        "A call whose marker is elsewhere fails as a whole; one to a node that serves nothing is refused, in one way.")
    func aCallWhoseMarkerIsElsewhereFails() throws {
        let read = RedisJob.readCounters(Self.generation, Self.items)
        let clusterDown = RedisFailure.refused(RedisError.clusterDown)
        let down = [
            "CLUSTERDOWN The cluster is down", "ERR Script attempted to execute a command while the cluster is down",
        ]
        for error in ["MOVED 1 h:1", "ASK 1 h:1", "ERR Script attempted to access a non local key in a cluster node"] {
            let found = try replies(["-\(error)"], to: read)
            #expect(found.failure == .elsewhere && found.hasMoved)
            #expect(try replies(["-\(error)"], to: .keepRecent(Self.recent)).failure == nil)
        }
        for error in down {
            #expect(try replies(["-\(error)"], to: read).failure == clusterDown)
            #expect(try replies(["-\(error)"], to: .keepRecent(Self.recent)).failure == clusterDown)
            #expect(try replies(["-\(error)"], to: .admit([entry(.both)])).failure == clusterDown)
            let identify = RedisJob.identify(server: "a:b", IdentifyRequest(new: nil))
            #expect(try replies(["-\(error)"], to: identify).failure == .clusterDown)
        }
    }

    @Test(
        "At a strict node each item is elsewhere by itself, half of one is deleted, and a change of the marker is seen."
    )
    func atAStrictNodeEachItemIsElsewhereByItself() throws {
        let set = RedisJob.setCounters(Self.generation, Self.two, paceMs: 20)
        let marker = "*1\n$\(Self.generation.marker.utf8.count)\n\(Self.generation.marker)"
        var found = try replies([marker, ":1", "-TRYAGAIN Multiple keys", marker], to: set, .strictCluster)
        #expect(found.failure == nil && found.elsewhere == [Self.items[1]])
        let more = found.takeMore()
        #expect(more.map(\.kind) == [.unlinkCounter, .unlinkVersion])
        try take(":1", of: more[0], &found)
        try take("-ASK 1 h:1", of: more[1], &found)
        #expect(found.slicesLeft == 0 && found.failure == nil)
        let read = RedisJob.readCounters(Self.generation, Self.items)
        let texts = [marker, "*2 $-1 $-1", "-MOVED 1 h:1", "*1 $-1"]
        #expect(try replies(texts, to: read, .strictCluster).failure == .otherGeneration)
        let same = try replies([marker, "*2 $-1 $-1", "-MOVED 1 h:1", marker], to: read, .strictCluster)
        #expect(same.failure == nil && same.counters == [nil, nil] && same.hasMoved)
    }

    // MARK: Servers

    @Test(
        "A node is strict if a script may read a key only where it is declared; a key that is elsewhere shows nothing.")
    func aNodeIsStrictIfAScriptMayReadDeclaredKeysOnly() {
        let strict = "ERR Script attempted to access an undeclared key"
        let cases: [(plain: String?, declared: String?, style: RedisStyle, isKnown: Bool, failure: String?)] = [
            (nil, nil, .cluster, true, nil), (strict, nil, .strictCluster, true, nil),
            ("ERR … non local key …", "MOVED 1 h:1", .cluster, false, nil),
            ("CLUSTERDOWN The cluster is down", "CLUSTERDOWN The cluster is down", .cluster, false, nil),
            ("NOPERM no", "NOPERM no", .cluster, false, "NOPERM no"),
        ]
        for (plain, declared, style, isKnown, failure) in cases {
            var reach = ScriptReach(isClusterNode: true)
            #expect(!reach.isKnown)
            #expect(reach.take(plain, isDeclared: false) == nil)
            #expect(reach.take(declared, isDeclared: true) == failure)
            #expect(reach.style == style && reach.isKnown == isKnown)
            // It is tried again, and then shows itself.
            _ = reach.take(strict, isDeclared: false)
            #expect(reach.take(nil, isDeclared: true) == nil)
            #expect(reach.style == .strictCluster && reach.isKnown)
        }
        #expect(ScriptReach().isKnown && ScriptReach().style == .oneServer)
    }

    @Test("Each ask begins with the node behind the one that was asked last, and asks each once.")
    func eachAskBeginsBehindTheLastOne() {
        func order(_ names: String, after last: String?) -> String {
            func address(_ host: Character) -> RedisEndpoint.Address { .tcp(host: String(host), port: 1) }
            return ClusterWatch.order(names.map(address), after: last?.first.map(address)).map {
                String($0.name.first ?? " ")
            }
            .joined()
        }
        #expect(order("abcab", after: nil) == "abc")
        #expect(order("abc", after: "a") == "bca" && order("abc", after: "c") == "abc")
        #expect(order("abc", after: "x") == "abc" && order("", after: "a") == "" && order("a", after: "a") == "a")
    }

    @Test("Another cluster than the one in use is taken only at the places of its nodes, or after a long silence.")
    func anotherClusterIsTakenOnlyInPlaceOrAfterALongSilence() {
        func view(_ id: String, port: Int) -> ClusterView {
            let node = ClusterView.Node(id: id, host: "h", port: port, epoch: 1, slots: [0...1])
            return ClusterView(primaries: [node], ids: [id])
        }
        func address(_ port: Int) -> RedisEndpoint.Address { .tcp(host: "h", port: port) }
        let (a, b, c) = (view("a", port: 1), view("b", port: 2), view("c", port: 1))
        var answers = ClusterAnswers(known: a.primaries)
        let isSameTaken = answers.take(a, from: address(7))
        #expect(isSameTaken == .taken && answers.otherCluster(silentMs: .max) == nil)
        let isOtherTaken = answers.take(b, from: address(2))
        #expect(isOtherTaken == .refused)
        #expect(answers.otherCluster(silentMs: EdgeLimits.clusterGivenUpMs - 1) == nil)
        #expect(answers.otherCluster(silentMs: EdgeLimits.clusterGivenUpMs) == b)
        let isOneInPlaceTaken = answers.take(c, from: address(1))
        #expect(isOneInPlaceTaken == .refused)
        #expect(answers.otherCluster(silentMs: EdgeLimits.clusterReplacedMs - 1) == nil)
        #expect(answers.otherCluster(silentMs: EdgeLimits.clusterReplacedMs) == c)
        #expect(answers.strangers == [address(2), address(1)])
        // The one that was given up is there again.
        answers = ClusterAnswers(known: b.primaries, former: ["a"])
        let isFormerTaken = answers.take(a, from: address(1))
        #expect(isFormerTaken == .taken)
    }

    @Test("At first, the cluster is the one to which most of the servers belong that REDIS_URL names.")
    func atFirstTheClusterIsThatOfMostServers() {
        func view(_ ids: String) -> ClusterView { ClusterView(primaries: [], ids: Set(ids.map(String.init))) }
        func address(_ port: Int) -> RedisEndpoint.Address { .tcp(host: "h", port: port) }
        var answers = ClusterAnswers(known: [])
        let verdict = answers.take(view("xy"), from: address(1))
        #expect(verdict == .counted && answers.first(ofMostAmong: 3) == nil && answers.first == view("xy"))
        _ = answers.take(view("ab"), from: address(2))
        #expect(answers.first(ofMostAmong: 3) == nil && answers.first == view("xy"))
        _ = answers.take(view("bc"), from: address(3))
        #expect(answers.first(ofMostAmong: 3) == view("ab") && answers.first == view("ab"))
    }

    @Test(
        "What a server says of itself decides whether it is what REDIS_URL means.",
        arguments: [
            ("redis://h", "standalone", false, nil), ("redis://h", "cluster", false, nil),
            ("redis://h", "standalone", true, "not a node of a Redis Cluster"),
            ("redis://h,i", "standalone", false, "not a node of a Redis Cluster"),
            ("redis://h,i", "cluster", true, nil), ("redis://h/1", "cluster", false, "no database 1"),
            ("redis://h", "sentinel", false, "a Sentinel"),
            ("redis-sentinel://h/0#n", "cluster", false, "a node of a Redis Cluster"),
        ] as [(String, String, Bool, String?)])
    func whatAServerSaysDecidesWhetherItIsMeant(url: String, mode: String, isKnown: Bool, words: String?) throws {
        let configuration = try Configuration.load(file: nil, environment: ["REDIS_URL": url])
        var facts = RedisServerFacts()
        facts.take("redis_mode:\(mode)\r\nredis_version:7.0.15")
        let against = facts.reasonAgainstKind(configuration, isKnownNode: isKnown)
        #expect((against == nil) == (words == nil))
        if let words, let against {
            #expect(against.reason.contains(words) && against.next?.isEmpty == false)
            // A single name was right once, and may be again.
            #expect(against.next?.contains("restart") == (url == "redis://h" && isKnown))
        }
        facts.take("role:slave")
        #expect(facts.reasonAgainst(configuration, isKnownNode: true)?.isMoved == true)
        #expect(facts.reasonAgainst(configuration, isKnownNode: false)?.isMoved == false)
    }
}
