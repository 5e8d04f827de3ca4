import Dispatch
import Glibc
import LikesCore
import LikesSimulation

// Runs seeds on all cores: simulate [--seeds N] [--first S] [--without SAFEGUARD] [--trace] [--threads N]

func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

guard let options = Options(CommandLine.arguments) else {
    let names = Safeguards.names.joined(separator: ", ")
    print("usage: simulate [--seeds N] [--first S] [--threads N] [--trace] [--digest] [--stop]")
    print("    [--without SAFEGUARD] [--focus SAFEGUARD|FAULT|standbys|cluster|clusterRates]")
    print("safeguards: \(names)")
    print("faults: \(FaultKind.allCases.map { "\($0)" }.joined(separator: ", "))")
    exit(64)
}

let begin = seconds()
let runner = Runner(options)
DispatchQueue.concurrentPerform(iterations: options.threads) { _ in runner.work() }
let result = runner.tally.withLock { $0 }
let elapsed = seconds() - begin
let perSecond = Double(result.done) / elapsed
var summary = "\(result.done) seeds, \(result.failures.count) failed, \(Int(perSecond * 10) / 10) seeds/s, "
summary += "\(result.events / max(1, Int(result.done))) events and "
summary += "\(result.operations / max(1, Int(result.done))) operations a seed"
if options.isDigesting { summary += ", digest \(String(result.digest, radix: 16))" }
print(summary)
print(Rarity.allCases.map { "\($0) \(result.coverage[$0])" }.joined(separator: ", "))
let countsAnswered = max(1, result.countsByStrictness.reduce(0, +))
let shares = Bound.Strictness.allCases.map {
    "\($0) \(result.countsByStrictness[$0.rawValue] * 100 / countsAnswered) %"
}
print("\(countsAnswered) COUNTs held: \(shares.joined(separator: ", "))")
print("standbys: \(result.standbyCounts.answered) counts taken, \(result.standbyCounts.refused) refused")
exit(result.failures.isEmpty ? 0 : 1)
