import Glibc
import LikesHost
import LikesProtocol
import LikesStorage

/// Does what the command line asks for, and returns what to print and the exit status.
func perform(_ invocation: Invocation) throws(Failure) -> (text: String, status: ExitStatus) {
    switch invocation.task {
    case .help(nil): return (Help.overall, .ok)
    case .help(let command?): return (Help.of(command), .ok)
    case .version: return (Help.version + "\n", .ok)
    case .run(.migrate, arguments: _):
        let configuration = try ConfigurationSource.load(file: invocation.configFile)
        if invocation.printsSQL {
            return (Schema.script(itemTypes: configuration.itemTypes, partitions: invocation.partitions), .ok)
        }
        let migration = try Migration(configuration, partitions: invocation.partitions)
        return (invocation.json ? migration.json.text + "\n" : migration.text, .ok)
    case .run(.verify, arguments: _):
        let configuration = try ConfigurationSource.load(file: invocation.configFile)
        // It prints as it goes: what it finds may not fit into memory.
        return ("", try Verification.run(configuration, invocation.verify, json: invocation.json))
    case .run(.bench, arguments: _):
        return try Bench.run(
            invocation.bench, socketPath: invocation.socketPath ?? ConfigurationSource.socketPath(),
            json: invocation.json)
    case .run(let command, let arguments):
        let timeoutMs = try ConfigurationSource.requestTimeoutMs() + SocketClient.replyMarginMs
        let client = try SocketClient.connected(
            to: invocation.socketPath ?? ConfigurationSource.socketPath(), timeoutMs: timeoutMs)
        let reply = try client.reply(to: [verb(command, arguments)] + arguments, command)
        let answer = try Answer(reply, to: command, arguments, json: invocation.json)
        return (answer.text, answer.status)
    }
}

/// The request's first word.
func verb(_ command: Command, _ arguments: [String]) -> String {
    switch command {
    case .count: arguments.count > 1 ? "MCOUNT" : "COUNT"
    case .liked: arguments.count > 2 ? "MLIKED" : "LIKED"
    case .like, .unlike, .health, .info, .metrics, .ping, .reload, .bench, .migrate, .verify:
        command.rawValue.uppercased()
    }
}

/// Does it, prints the outcome, and returns the exit status.
func run(_ words: [String]) -> ExitStatus {
    do throws(Failure) {
        let outcome = try perform(try Invocation(words))
        guard SystemCalls.write(ForeignText.escaped(outcome.text, lines: true), to: STDOUT_FILENO) else {
            throw Failure(.output, "the output could not be written: \(SystemCalls.text(of: errno))")
        }
        return outcome.status
    } catch {
        // Nothing is left to tell it to when even this can't be written; the status still says it.
        _ = SystemCalls.write("likesctl: \(ForeignText.escaped(error.message, lines: true))\n", to: STDERR_FILENO)
        return error.status
    }
}

exit(run(Array(CommandLine.arguments.dropFirst())).rawValue)
