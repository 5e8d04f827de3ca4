import LikesCore
import LikesProtocol
import LikesSimulation

@testable import TestSupport

/// The simulated Redis and the real one, through the same operations from an empty start.
struct RedisTrial {
    private let plan: Plan
    private let model: ModelSide
    private let server: ServerSide
    private var chooser: OperationChooser
    private var history: [RedisOperation] = []
    private(set) var sights: Set<Sight> = []

    /// What the trials have to bring about, or they prove nothing.
    enum Sight: CaseIterable {
        case newMarker, keptMarker, dropped, late, otherGeneration, refused, short, newerKept, countersRead, nothingRead
        case countersHeard, beatHeard, hinted, limited, trimmed, untold, told, early, gone
    }

    private static let historyMax = 15

    init(_ server: RedisServer, seed: UInt64) throws {
        plan = OperationChooser.plan(seed: seed)
        chooser = OperationChooser(seed: seed, plan: plan)
        model = ModelSide(seed: seed, plan: plan)
        self.server = try ServerSide(server, plan: plan)
    }

    /// One more operation on both. Returns where the server differs from the model, with what led there.
    mutating func step() throws -> String? {
        let operation = chooser.next(serverWord: model.serverWord, recent: model.recent)
        history.append(operation)
        if history.count > Self.historyMax { history.removeFirst() }
        var differences: [String] = []
        switch operation {
        case .call(let request, let isLate): differences = try perform(request, isLate: isLate)
        case .beat(let number):
            try server.beat(number)
            differences = try compare(hearing: model.beat(number))
            sights.insert(.beatHeard)
        default:
            try perform(operation)
            differences = try compare(hearing: [])
        }
        if differences.isEmpty { return nil }
        let lines = ["the server differs from the model:"] + differences + ["after"] + history.map { "\($0)" }
        return lines.joined(separator: "\n").replacing("LikesCore.", with: "").replacing("LikesProtocol.", with: "")
    }

    private func compare(hearing expected: [RedisMessage]) throws -> [String] {
        let differences = try server.contents().differences(from: model.contents())
        let heard = try server.heard()
        return heard == expected ? differences : differences + ["heard \(heard), not \(expected)"]
    }

    private mutating func perform(_ request: RedisRequest, isLate: Bool) throws -> [String] {
        let recentBefore = (0..<plan.usersCount).map(model.recent)
        let before = model.contents()
        let outcome = try server.perform(request, isLate: isLate, serverWord: model.serverWord)
        let expected = model.perform(request, isLate: isLate)
        let contents = try server.contents()
        let heard = try server.heard()
        if case .writeThrough(_, _, let recent) = request { adopt(recent, recentBefore, contents) }

        var differences = contents.differences(from: model.contents())
        if !outcome.agrees(with: expected.outcome) { differences.append("\(outcome), not \(expected.outcome)") }
        if heard != expected.heard { differences.append("heard \(heard), not \(expected.heard)") }
        let marker = plan.name(.plainMarker)
        note(outcome, isNew: before[marker]?.value != contents[marker]?.value)
        if !heard.isEmpty { sights.insert(.countersHeard) }
        if model.hasKeptNewer { sights.insert(.newerKept) }
        if case .identified(let generation, _) = outcome { chooser.learn(generation) }
        chooser.learn(outcome)
        return differences
    }

    /// Which members a set lost that had too many is chance's. The model goes on with the server's, if they could be.
    private mutating func adopt(_ changes: [RecentLike], _ before: [Set<Int>], _ contents: RedisContents) {
        for user in 0..<plan.usersCount where plan.mayTrim(user, changes, { before[$0] }) {
            let added = changes.filter { $0.pair.user == user + 1 }.compactMap {
                plan.items.firstIndex(of: $0.pair.item)
            }
            let names = contents[plan.name(.recent(user))]?.value.split(separator: " ").map(String.init) ?? []
            let members = Set(plan.items.indices.filter { names.contains(plan.name(plan.items[$0])) })
            let expected = model.recent(user)
            guard members.count == expected.count, members.isSubset(of: before[user].union(added)),
                let last = added.last, members.contains(last), expected.contains(last)
            else { continue }
            if members != before[user] { sights.insert(.trimmed) }
            model.adopt(members, of: user)
        }
    }

    private func perform(_ operation: RedisOperation) throws {
        switch operation {
        case .call, .beat: preconditionFailure("it has an outcome")
        case .flush:
            model.flush()
            try server.flush()
        case .drop(let key):
            model.drop(key)
            try server.drop([key])
        case .dropCounter(let place):
            model.dropCounter(place)
            try server.drop([.counter(place), .version(place)])
        case .pass(let seconds):
            model.pass(seconds: seconds)
            try server.pass(seconds: seconds)
        case .restart(let isEmpty):
            model.restart(isEmpty: isEmpty)
            if isEmpty { try server.flush() }
        case .plant(let marker):
            model.plant(marker)
            try server.plant(marker)
        case .fill(let isOn):
            model.setShort(isOn)
            try server.setShort(isOn)
        case .refuse(let isOn):
            model.setRefusing(isOn)
            try server.setRefusing(isOn)
        }
    }

    private mutating func note(_ outcome: RedisOutcome, isNew: Bool) {
        switch outcome {
        case .identified: sights.insert(isNew ? .newMarker : .keptMarker)
        case .admitted(let verdicts):
            if verdicts.contains(.admitted(recent: true)) { sights.insert(.hinted) }
            if verdicts.contains(where: { if case .limited = $0 { true } else { false } }) { sights.insert(.limited) }
        case .read(let counters):
            if counters.contains(where: { $0 != nil }) { sights.insert(.countersRead) }
            if counters.contains(nil) { sights.insert(.nothingRead) }
        case .wroteThrough(let isShort, _, let untold):
            if isShort { sights.insert(.short) }
            if !untold.isEmpty { sights.insert(.untold) }
        case .told(let outcomes):
            let seen: [(TellingOutcome, Sight)] = [(.told, .told), (.early, .early), (.gone, .gone)]
            for (outcome, sight) in seen where outcomes.contains(outcome) { sights.insert(sight) }
        case .late: sights.insert(.late)
        case .otherGeneration: sights.insert(.otherGeneration)
        case .refused: sights.insert(.refused)
        case .dropped: sights.insert(.dropped)
        case .filled, .nothing: return
        }
    }
}
