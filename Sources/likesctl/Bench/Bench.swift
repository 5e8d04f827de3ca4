import LikesHost
import LikesProtocol
import LikesctlCommands

/// `likesctl bench`: measures the daemon under a load.
enum Bench {
    /// Runs it and returns what to print. A run in which every request failed has figures to print as well.
    static func run(
        _ options: BenchOptions, socketPath: String, json: Bool
    ) throws(Failure) -> (text: String, status: ExitStatus) {
        let answerMs = try ConfigurationSource.requestTimeoutMs() + DaemonClient.replyMarginMs
        try tryOut(options, socketPath, timeoutMs: answerMs)
        var run = try BenchRun(options, socketPath: socketPath, answerMs: answerMs)
        try run.run()
        let report = BenchReport(
            options: options, tally: run.tally, seconds: run.seconds, behindNs: run.behindNs,
            connectionsLeast: run.connectionsLeast, cpuSeconds: run.cpuSeconds, ending: run.ending)
        return (json ? report.json.text + "\n" : report.text, report.status)
    }

    /// One COUNT beforehand: if every request would be wrong, for instance because of an unknown type, the user gets
    /// the daemon's message at once instead of a million counted errors.
    private static func tryOut(
        _ options: BenchOptions, _ socketPath: String, timeoutMs: Int64
    ) throws(Failure) {
        let client = try DaemonClient.connected(to: socketPath, timeoutMs: timeoutMs)
        let reply = try client.reply(to: ["COUNT", "\(options.type):1"], .bench)
        try client.checkIsLikesd(after: reply, to: .bench)
        switch reply {
        case .integer: return
        case .error(let bytes):
            let error = ReceivedError(bytes)
            if error.code == .err { throw Failure(error) }
        default: throw notUnderstood
        }
    }

    static let notUnderstood = Failure(
        .notUnderstood, "an answer was not understood: is this likesd's socket, and of this version?",
        next: ConnectFailure.nameSocket)
}
