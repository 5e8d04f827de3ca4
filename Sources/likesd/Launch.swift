import CCrash
import CLinux
import Glibc
import LikesCore
import LikesHost
import LikesProtocol
import LikesSettings

/// From the command line to a running daemon.
enum Launch {
    static func run(_ arguments: some Sequence<String>) -> ExitStatus {
        if crash_handler_install(Logger.isPrefixed ? 1 : 0) != 0 {
            StandardError.write("likesd: cannot install the crash handler: \(DaemonError.text(errno))\n")
        }
        do throws(DaemonError) {
            switch try Options(arguments) {
            case .help: print(Options.helpText, terminator: "")
            case .version: print(versionText)
            case .checkConfiguration(let file):
                print(ForeignText.escaped(try configuration(file: file).effectiveText, lines: true), terminator: "")
            case .run(let file): return try runDaemon(file)
            }
            return .success
        } catch {
            let hint = error.status == .usage ? "\nTry 'likesd --help'." : ""
            StandardError.write("likesd: \(ForeignText.escaped(error.message, lines: true))\(hint)\n")
            return error.status
        }
    }

    private static func runDaemon(_ file: String?) throws(DaemonError) -> ExitStatus {
        // From the start, these signals wait for the loop: a request to stop is not a crash, whenever it comes.
        for number in [SIGTERM, SIGINT, SIGHUP] { try EventLoop.block(number) }
        // Before any foreign input is read: what ended the previous process may end this one.
        let before = CrashRecord.open()
        if let before {
            // LOG_LEVEL is not known yet; this is logged at any level.
            let logger = Logger(level: .error)
            logger.log(.error, before.text)
            guard RestartPause.wait(after: before, logger) else { return .success }
        }
        CrashRecord.begin(after: before)
        let configuration = try configuration(file: file)
        // If a client or a log reader went away, the write fails, but the process goes on.
        signal(SIGPIPE, SIG_IGN)
        // The C library raises its bound with each large block that is freed, up to 32 MiB, and then keeps such blocks.
        mallopt(M_MMAP_THRESHOLD, EdgeLimits.keptBlockBytesMax)
        let daemon = try Daemon(
            source: source(file), configuration: configuration, after: before)
        return try daemon.run()
    }

    /// The settings in force, checked.
    private static func configuration(file: String?) throws(DaemonError) -> Configuration {
        do {
            let configuration = try source(file).loadNoted()
            let logger = Logger(level: .warning)
            for notice in configuration.places.notices { logger.log(.warning, notice) }
            return configuration
        } catch {
            throw DaemonError("the configuration is wrong:\n\(error.text)", .configuration)
        }
    }

    private static func source(_ file: String?) -> ConfigurationSource {
        ConfigurationSource(file.map { .named($0) } ?? .none)
    }

    private static var versionText: String {
        let facts = VersionFacts.measured()
        return """
            likesd \(VersionFacts.likesd)
            Swift \(facts.swift), libpq \(facts.libpq), hiredis \(facts.hiredis), systemd \(facts.systemd)
            """
    }
}
