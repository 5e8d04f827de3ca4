import Glibc
import LikesHost
import LikesProtocol
import LikesStorage
import LikesctlCommands

/// Does what the command line asks for, and returns what to print and the exit status.
func perform(_ invocation: Invocation) throws(Failure) -> (text: String, status: ExitStatus) {
    let options = invocation.options
    switch invocation.task {
    case .help(nil): return (Help.overall, .ok)
    case .help(let command?): return (Help.of(command), .ok)
    case .version: return (Help.version + "\n", .ok)
    case .run(.migrate, arguments: _):
        let configuration = try ConfigurationSource.load(file: options.configFile)
        if options.migrate.printsSQL {
            return (Schema.script(itemTypes: configuration.itemTypes, partitions: options.migrate.partitions), .ok)
        }
        if options.migrate.takeover.task != nil {
            return ("", try Takeover.run(configuration, options.migrate, json: options.json))
        }
        let migration = try Migration(configuration, options.migrate, json: options.json)
        return (options.json ? migration.json.text + "\n" : migration.text, migration.status)
    case .run(.verify, arguments: _):
        let configuration = try ConfigurationSource.load(file: options.configFile)
        // It prints as it goes: its findings may not fit into memory.
        return ("", try Verification.run(configuration, options.verify, json: options.json))
    case .run(.import, let arguments):
        let configuration = try ConfigurationSource.load(file: options.configFile)
        return try Import.run(configuration, arguments.first, options.data, json: options.json)
    case .run(.export, let arguments):
        let configuration = try ConfigurationSource.load(file: options.configFile)
        return try Export.run(configuration, arguments.first, options.data, json: options.json)
    case .run(.forget, let arguments):
        let configuration = try ConfigurationSource.load(file: options.configFile)
        return try Removal.forget(arguments[0], configuration, options.data, json: options.json)
    case .run(.remove, let arguments):
        let configuration = try ConfigurationSource.load(file: options.configFile)
        return try Removal.remove(arguments[0], configuration, options.data, json: options.json)
    case .run(.bench, arguments: _):
        return try Bench.run(
            options.bench, socketPath: options.socketPath ?? ConfigurationSource.socketPath(),
            json: options.json)
    case .run(.plan, arguments: _):
        let report = PlanReport(try CapacityPlan(try options.plan.load()))
        return (options.json ? report.json.text + "\n" : report.text, .ok)
    case .run(let command, let arguments):
        let timeoutMs = try ConfigurationSource.requestTimeoutMs() + DaemonClient.replyMarginMs
        let client = try DaemonClient.connected(
            to: options.socketPath ?? ConfigurationSource.socketPath(), timeoutMs: timeoutMs)
        let words = [verb(command, arguments)] + arguments + options.page
        let reply = try client.reply(to: words, command)
        try client.checkIsLikesd(after: reply, to: command)
        let answer = try Answer(reply, to: command, arguments, json: options.json)
        return (answer.text, answer.status)
    }
}

extension CommandOptions {
    /// The words that say which page of a list is asked for.
    fileprivate var page: [String] {
        (after.map { ["AFTER", $0] } ?? []) + (limit.map { ["LIMIT", String($0)] } ?? [])
    }
}

/// The request's first word.
func verb(_ command: Command, _ arguments: [String]) -> String {
    switch command {
    case .count: arguments.count > 1 ? "MCOUNT" : "COUNT"
    case .liked: arguments.count > 2 ? "MLIKED" : "LIKED"
    case .like, .unlike, .likes, .likers, .health, .info, .metrics, .ping, .reload, .bench, .plan, .migrate, .verify,
        .import, .export, .forget, .remove:
        command.rawValue.uppercased()
    }
}

/// Runs the command, prints the outcome, and returns the exit status.
func run(_ words: [String]) -> ExitStatus {
    do throws(Invocation.Refusal) {
        return run(try Invocation(words))
    } catch {
        return told(error.failure, json: error.json)
    }
}

private func run(_ invocation: Invocation) -> ExitStatus {
    do throws(Failure) {
        let outcome = try perform(invocation)
        guard print(outcome.text, to: STDOUT_FILENO) else {
            throw Failure(.output, "the output could not be written: \(SystemCalls.text(of: errno))")
        }
        return outcome.status
    } catch {
        return told(error, json: invocation.options.json)
    }
}

/// Prints a failure: as JSON where the answer would have been, and as words for people beside it.
private func told(_ failure: Failure, json: Bool) -> ExitStatus {
    if !json || !print(failure.json.text + "\n", to: STDOUT_FILENO) {
        // If even this cannot be written, the status still says it.
        _ = print("likesctl: \(failure.text)\n", to: STDERR_FILENO)
    }
    return failure.status
}

private func print(_ text: String, to descriptor: Int32) -> Bool {
    SystemCalls.write(ForeignText.escaped(text, lines: true), to: descriptor)
}

exit(run(Array(CommandLine.arguments.dropFirst())).rawValue)
