/// A worked example of docs/scaling.md.
package struct PlanExample: Sendable {
    /// As docs/scaling.md names its part.
    package let name: String
    package let arguments: String

    package static let all = [
        PlanExample(
            name: "1,000 likes a second",
            arguments: "--likes 1000 --counts 20000 --users 500000 --likes-stored 100000000 --items 200000"),
        PlanExample(
            name: "30,000 likes a second",
            arguments: "--likes 30000 --counts 500000 --users 10000000 --likes-stored 1000000000"),
        PlanExample(
            name: "100,000 likes a second",
            arguments: "--likes 100000 --counts 500000 --users 30000000 --likes-stored 10000000000"),
        PlanExample(
            name: "1 million counts a second",
            arguments: "--likes 1000 --counts 1000000 --users 500000 --likes-stored 100000000 --batch 20 --ttl-ms 10000"
        ),
    ]

    package var command: String { "likesctl plan \(arguments)" }

    /// What the command prints. An example that is no plan is a mistake in the table.
    package var printed: String {
        do {
            let words = ["plan"] + arguments.split(separator: " ").map(String.init)
            return PlanReport(try CapacityPlan(try Invocation(words).options.plan.load())).text
        } catch {
            preconditionFailure("\(command): \(error)")
        }
    }
}
