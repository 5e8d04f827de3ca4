import Glibc
import LikesCore
import LikesSimulation
import Synchronization

struct Options: Sendable {
    var seeds: UInt64 = 1_000
    var first: UInt64 = 0
    var threads = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    var isTracing = false
    var isDigesting = false
    var stopsAtFirst = false
    var safeguards = Safeguards()
    var focus: Focus?

    init?(_ arguments: [String]) {
        var rest = arguments.dropFirst().makeIterator()
        while let argument = rest.next() {
            switch argument {
            case "--seeds":
                guard let seeds = rest.next().flatMap(UInt64.init) else { return nil }
                self.seeds = seeds
            case "--first":
                guard let first = rest.next().flatMap(UInt64.init) else { return nil }
                self.first = first
            case "--threads":
                guard let threads = rest.next().flatMap(Int.init), threads > 0 else { return nil }
                self.threads = threads
            case "--without":
                guard let name = rest.next(), let path = Safeguards.named(name) else { return nil }
                safeguards[keyPath: path] = false
            case "--focus":
                guard let name = rest.next(), let focus = Focus.on(name) else { return nil }
                self.focus = focus
            case "--trace": isTracing = true
            case "--digest": isDigesting = true
            case "--stop": stopsAtFirst = true
            default: return nil
            }
        }
    }
}

struct Tally: Sendable {
    var done: UInt64 = 0
    var events = 0
    var operations = 0
    var failures: [(seed: UInt64, rule: Rule)] = []
    var digest: UInt64 = 0
    var coverage = Coverage()
    var standbyCounts: (answered: Int64, refused: Int64) = (0, 0)
    var countsByStrictness = [Int](repeating: 0, count: Bound.Strictness.allCases.count)
}

/// Takes one seed after the other, on as many threads as ask it to.
final class Runner: Sendable {
    private let options: Options
    private let next: Atomic<UInt64>
    let tally = Mutex(Tally())

    init(_ options: Options) {
        self.options = options
        next = Atomic(options.first)
    }

    func work() {
        while true {
            let seed = next.add(1, ordering: .relaxed).oldValue
            guard seed < options.first + options.seeds else { return }
            run(seed)
        }
    }

    private func run(_ seed: UInt64) {
        let simulation = Simulation(seed: seed, safeguards: options.safeguards, focus: options.focus)
        let violation = simulation.run()
        var text = ""
        if violation != nil, options.isTracing {
            let again = Simulation(seed: seed, safeguards: options.safeguards, focus: options.focus, isTracing: true)
            _ = again.run()
            text = again.report(linesMax: .max)
        }
        let digest = options.isDigesting ? simulation.digest : 0
        tally.withLock { tally in
            tally.done += 1
            tally.events += simulation.eventsCount
            tally.operations += simulation.operations.count
            tally.digest &+= digest
            tally.coverage.add(simulation.coverage)
            tally.standbyCounts.answered += simulation.standbyCounts.answered
            tally.standbyCounts.refused += simulation.standbyCounts.refused
            for strictness in Bound.Strictness.allCases {
                tally.countsByStrictness[strictness.rawValue] += simulation.countsByStrictness[strictness.rawValue]
            }
            guard let violation else { return }
            tally.failures.append((seed, violation.rule))
            print("seed \(seed) \(violation.rule.rawValue): \(violation.text)")
            if !text.isEmpty { print(text) }
            if options.stopsAtFirst { next.store(.max / 2, ordering: .relaxed) }
        }
    }
}
