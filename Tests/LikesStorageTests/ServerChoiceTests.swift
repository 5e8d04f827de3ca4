import LikesStorage
import Testing

@Suite struct ServerChoiceTests {
    /// `a 1` a primary at timeline 1, `b 2 standby`, `c 2 readonly`; `system=…` and `as=…`, whose server it is, follow.
    private static func seen(_ text: String) -> ServerView.Seen {
        let words = text.split(separator: " ").map(String.init)
        func value(_ name: String) -> String? {
            words.first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
        }
        let isStandby = words.contains("standby")
        return ServerView.Seen(
            server: DatabaseServer(host: words[0]),
            facts: ServerFacts(
                isStandby: isStandby, isReadOnly: isStandby || words.contains("readonly"),
                system: value("system") ?? "7", timeline: Int64(words[1]) ?? 0, startedAt: value("as") ?? words[0]))
    }

    private static func shown(_ choice: ServerView.Choice) -> String {
        switch choice {
        case .server(let seen): seen.server.name
        case .missing: "none"
        case .conflict(let conflict): conflict.reason
        }
    }

    struct Row: CustomTestStringConvertible {
        var seen: [String]
        var known: String?
        var lane: String
        /// Where it is not the lane's.
        var reader: String?
        var testDescription: String { seen.joined(separator: ", ") + (known.map { "; was at \($0)" } ?? "") }
    }

    private static let both = "a and b are both primaries at timeline 2"
    private static let different = "a and b belong to different databases"

    static let rows = [
        Row(seen: [], lane: "none"),
        Row(seen: ["a 1"], lane: "a"),
        Row(seen: ["a 1", "b 1 standby"], lane: "a"),
        Row(seen: ["b 1 standby", "a 1"], lane: "a"),
        // An old primary.
        Row(seen: ["a 1", "b 2"], lane: "b"),
        Row(seen: ["b 2", "a 1"], lane: "b"),
        Row(seen: ["a 1", "b 3", "c 2"], lane: "b"),
        Row(seen: ["a 9", "b 10"], lane: "b"),
        Row(seen: ["a 1", "b 2 readonly"], lane: "b"),
        Row(
            seen: ["a 1", "b 2 standby"], lane: "a is an old primary, at timeline 1 while the standby b is at 2",
            reader: "b"),
        Row(seen: ["a 2", "b 1 standby"], lane: "a"),
        Row(
            seen: ["a 1"], known: "b 2",
            lane: "a is an old primary, at timeline 1 while another was promoted to 2"),
        Row(
            seen: ["a 1"], known: "a 2",
            lane: "a is an old primary, at timeline 1 while another was promoted to 2"),
        // Two primaries.
        Row(seen: ["a 2", "b 2"], lane: both),
        Row(seen: ["a 2", "b 2", "c 1 standby"], lane: both),
        Row(seen: ["a 2", "b 2"], known: "a 2", lane: both),
        Row(seen: ["a 2 readonly", "b 2 readonly"], lane: both),
        Row(seen: ["a 2", "b 2 readonly"], lane: "a"),
        Row(seen: ["a 2 readonly", "b 2"], lane: "b"),
        Row(seen: ["a 2", "b 2", "c 3"], lane: "c"),
        // One server under two names.
        Row(seen: ["a 2 as=x", "b 2 as=x"], lane: "a"),
        Row(seen: ["a 2 as=x", "b 2 as=x", "c 1"], lane: "a"),
        // Other databases.
        Row(seen: ["a 1", "b 2 system=8"], lane: different),
        Row(seen: ["a 1", "b 2 system=8"], known: "a 1", lane: "a"),
        Row(seen: ["a 1", "b 2 system=8"], known: "b 2 system=8", lane: "b"),
        Row(seen: ["b 2 system=8"], known: "a 1", lane: "b belongs to another database than likesd used before"),
        Row(
            seen: ["b 2 system=8", "c 1 standby"], known: "a 1",
            lane: "b belongs to another database than likesd used before", reader: "c"),
        Row(seen: ["a 1 system=8", "b 1 standby system=8"], known: "a 4", lane: "a"),
        Row(seen: ["a 1", "b 1 standby system=8"], lane: "a"),
        // No primary.
        Row(seen: ["a 1 standby"], lane: "none", reader: "a"),
        Row(seen: ["a 1 standby", "b 2 standby", "c 2 standby"], lane: "none", reader: "b"),
        Row(seen: ["a 1 standby", "b 1 standby system=8"], lane: "none", reader: different),
        Row(seen: ["a 1 standby", "b 1 standby system=8"], known: "c 1 system=8", lane: "none", reader: "b"),
    ]

    @Test(
        "The lane takes the primary at the latest timeline or none, the reader the same or a standby.",
        arguments: rows)
    func theLaneTakesThePrimaryAtTheLatestTimelineOrNone(row: Row) {
        let view = ServerView(seen: row.seen.map(Self.seen), known: row.known.map(Self.seen))
        #expect(Self.shown(view.primary) == row.lane)
        #expect(Self.shown(view.reader(allowsStandby: true)) == row.reader ?? row.lane)
        #expect(Self.shown(view.reader(allowsStandby: false)) == row.lane)
    }

    @Test("What is passed over is said, with what to do about it.")
    func whatIsPassedOverIsSaidWithWhatToDoAboutIt() {
        let view = ServerView(
            seen: ["a 1", "b 2", "c 1 standby", "d 2 as=b", "e 2 readonly", "f 1 system=8"].map(Self.seen),
            known: Self.seen("b 2"))
        let said = view.passedOver(for: Self.seen("b 2"))
        #expect(
            said.map(\.reason) == [
                "a is an old primary, at timeline 1 while b is at 2",
                "f belongs to another database than likesd used before",
            ])
        #expect(
            said.map { $0.next("DATABASE_URL") } == [
                "stop a, or make it a standby",
                "stop f, or remove it from DATABASE_URL, or restart likesd to use it anyway",
            ])
    }
}
