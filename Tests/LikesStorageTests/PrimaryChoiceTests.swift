import LikesSettings
import LikesStorage
import Testing

private func named(_ text: String) -> NamedPrimary {
    let words = text.split(separator: " ")
    return NamedPrimary(address: .tcp(host: String(words[0]), port: 6_379), epoch: Int64(words[1]) ?? 0)
}

@Suite struct PrimaryChoiceTests {
    private static func shown(_ choice: PrimaryChoice.Choice) -> String {
        func text(_ primary: NamedPrimary) -> String {
            "\(primary.address.name.split(separator: ":")[0]) \(primary.epoch)"
        }
        return switch choice {
        case .primary(let primary): text(primary)
        case .missing: "none"
        case .deposed(let named, let newest): "\(text(named)) is behind \(text(newest))"
        }
    }

    struct Row: CustomTestStringConvertible {
        /// `0: a 1`: the Sentinel names it; `0: -`: it is lost; `use`: connections take the choice.
        var steps: [String]
        var choice: String
        var testDescription: String { steps.joined(separator: ", ") }
    }

    static let rows = [
        Row(steps: [], choice: "none"),
        Row(steps: ["0: a 0"], choice: "a 0"),
        Row(steps: ["2: a 7"], choice: "a 7"),
        // The highest epoch wins, however many name another, and whoever is heard first.
        Row(steps: ["0: a 1", "1: a 1", "2: b 2"], choice: "b 2"),
        Row(steps: ["2: b 2", "0: a 1", "1: a 1"], choice: "b 2"),
        Row(steps: ["0: a 9", "1: b 10"], choice: "b 10"),
        // Back to the first: a later epoch.
        Row(steps: ["0: a 1", "0: b 2", "1: a 3"], choice: "a 3"),
        // What was replaced is never used again, also when nobody says so any more.
        Row(steps: ["0: a 1", "1: b 2", "1: -"], choice: "a 1 is behind b 2"),
        Row(steps: ["0: a 1", "1: b 2", "1: -", "0: -"], choice: "none"),
        Row(steps: ["1: b 2", "1: -", "0: a 1"], choice: "a 1 is behind b 2"),
        Row(steps: ["1: b 2", "1: -", "0: b 1"], choice: "b 1 is behind b 2"),
        Row(steps: ["1: b 2", "1: a 1"], choice: "a 1 is behind b 2"),
        Row(steps: ["0: a 1", "1: b 2", "1: -", "0: b 2"], choice: "b 2"),
        // Two at one epoch: most of them, then the name, then what is in use.
        Row(steps: ["0: b 1", "1: a 1", "2: b 1"], choice: "b 1"),
        Row(steps: ["0: b 1", "1: a 1"], choice: "a 1"),
        Row(steps: ["1: a 1", "0: b 1"], choice: "a 1"),
        Row(steps: ["0: b 1", "use", "1: a 1", "2: a 1"], choice: "b 1"),
        Row(steps: ["0: b 1", "use", "1: a 1", "0: -"], choice: "a 1"),
        Row(steps: ["0: b 1", "use", "1: a 2"], choice: "a 2"),
    ]

    @Test(
        "The primary at the highest epoch is used, and never one at a lower epoch than was heard of.", arguments: rows)
    func thePrimaryAtTheHighestEpochIsUsedAndNeverOneAtALower(row: Row) {
        var choice = PrimaryChoice(sentinels: 3)
        for step in row.steps {
            if step == "use" {
                if case .primary(let primary) = choice.choice { choice.use(primary) }
                continue
            }
            let place = Int(step.prefix(1)) ?? 0
            if step.hasSuffix("-") {
                choice.lost(place)
            } else {
                choice.heard(named(String(step.dropFirst(3))), from: place)
            }
        }
        #expect(Self.shown(choice.choice) == row.choice)
    }

    @Test("In no order of what three Sentinels say is a primary chosen that is older than one heard of.")
    func inNoOrderIsAnOlderPrimaryChosen() {
        let said = ["a 1", "b 2", "c 2", "a 3", "-"]
        for number in 0..<(15 * 15 * 15) {
            var choice = PrimaryChoice(sentinels: 3)
            var highest: Int64 = -1
            var rest = number
            for _ in 0..<3 {
                let (place, word) = (rest % 3, said[rest / 3 % 5])
                rest /= 15
                if word == "-" {
                    choice.lost(place)
                } else {
                    choice.heard(named(word), from: place)
                    highest = max(highest, named(word).epoch)
                }
                if case .primary(let primary) = choice.choice { #expect(primary.epoch == highest) }
            }
        }
    }

    @Test("Two servers at one epoch are told.")
    func twoServersAtOneEpochAreTold() {
        var choice = PrimaryChoice(sentinels: 2)
        choice.heard(named("a 1"), from: 0)
        #expect(choice.contradiction == nil)
        choice.heard(named("b 1"), from: 1)
        #expect(choice.contradiction == "Sentinels name both a:6379 and b:6379 at epoch 1")
        choice.heard(named("b 2"), from: 1)
        #expect(choice.contradiction == nil)
    }
}

@Suite struct SentinelAnswersTests {
    private static let address = SentinelReply.list(["10.0.0.1", "6379"])
    private static func facts(_ epoch: String) -> SentinelReply {
        .list(["name", "m", "ip", "10.9.9.9", "port", "1", "flags", "master", "config-epoch", epoch])
    }
    private static func primary(_ host: String, _ epoch: Int64) -> SentinelOutcome {
        .named(NamedPrimary(address: .tcp(host: host, port: 6_379), epoch: epoch))
    }

    @Test(
        "SENTINEL MASTER has the epoch, but not the address: in a failover it names the old one at the new epoch.",
        arguments: [
            ([address, facts("3"), address], primary("10.0.0.1", 3)),
            (
                [.list(["fe80::1%eth0", "6379"]), facts("0"), .list(["fe80::1%eth0", "6379"])],
                primary("fe80::1%eth0", 0)
            ),
            ([address, facts("3"), .list(["10.0.0.2", "6379"])], .changing),
            ([.null, .error("ERR No such master with that name"), .null], .trouble(.unknownName)),
            ([.null, facts("1"), address], .trouble(.unknownName)),
            ([address, .error("NOPERM no"), address], .trouble(.refused("NOPERM no"))),
            ([.error("ERR unknown command 'SENTINEL'"), .null, .null], .trouble(.noSentinel)),
            ([address, facts("x"), address], .misfit), ([address, facts("-1"), address], .misfit),
            ([address, facts("9223372036854775808"), address], .misfit), ([address, .list(["ip"]), address], .misfit),
            ([address, .list([]), address], .misfit), ([address, .other, address], .misfit),
            ([.list(["h"]), facts("1"), .list(["h"])], .misfit), ([.list(["h", "0"]), facts("1"), address], .misfit),
            ([.list(["h", "65536"]), facts("1"), address], .misfit),
            ([.list(["", "1"]), facts("1"), address], .misfit),
            ([.list(["/tmp/s", "1"]), facts("1"), address], .misfit),
            ([.list(["a; next: b", "1"]), facts("1"), address], .misfit),
            ([.list([String(repeating: "a", count: 254), "1"]), facts("1"), address], .misfit),
        ] as [([SentinelReply], SentinelOutcome)])
    func theAddressIsNotThatOfSentinelMaster(replies: [SentinelReply], outcome: SentinelOutcome) {
        var answers = SentinelAnswers()
        #expect(replies.map { answers.take($0) } == [nil, nil, outcome])
    }

    @Test("The address is asked for before the epoch and after it.")
    func theAddressIsAskedForBeforeTheEpochAndAfterIt() {
        let commands = SentinelAnswers.commands("m")
        #expect(commands.map { $0[1] } == ["GET-MASTER-ADDR-BY-NAME", "MASTER", "GET-MASTER-ADDR-BY-NAME"])
        #expect(commands.allSatisfy { $0.count == 3 && $0[0] == "SENTINEL" && $0[2] == "m" })
    }
}
