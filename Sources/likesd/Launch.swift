import CLinux
import Glibc
import LikesCore
import LikesProtocol

/// From the command line to a running daemon.
enum Launch {
    static func run(_ arguments: some Sequence<String>) -> ExitStatus {
        do throws(DaemonError) {
            switch try Options(arguments) {
            case .help: print(Options.helpText, terminator: "")
            case .version: print(versionText)
            case .checkConfiguration(let file):
                print(ForeignText.escaped(try configuration(file: file).effectiveText, lines: true), terminator: "")
            case .run(let file): return try runDaemon(ConfigurationSource(file: file), configuration(file: file))
            }
            return .success
        } catch {
            let hint = error.status == .usage ? "\nTry 'likesd --help'." : ""
            StandardError.write("likesd: \(ForeignText.escaped(error.message, lines: true))\(hint)\n")
            return error.status
        }
    }

    private static func runDaemon(
        _ source: ConfigurationSource, _ configuration: Configuration
    ) throws(DaemonError) -> ExitStatus {
        // A client or a log reader that went away is an error of the write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        // The C library raises its bound with each large block that is freed, up to 32 MiB, and then keeps such blocks.
        mallopt(M_MMAP_THRESHOLD, EdgeLimits.keptBlockBytesMax)
        let daemon = try Daemon(source: source, configuration: configuration)
        return try daemon.run()
    }

    /// The settings in force, checked.
    private static func configuration(file: String?) throws(DaemonError) -> Configuration {
        do {
            return try ConfigurationSource(file: file).load()
        } catch {
            throw DaemonError("the configuration is wrong:\n\(error.text)", .configuration)
        }
    }

    private static var versionText: String {
        let facts = VersionFacts.measured()
        return """
            likesd \(VersionFacts.likesd)
            Swift \(facts.swift), libpq \(facts.libpq), hiredis \(facts.hiredis), systemd \(facts.systemd)
            """
    }
}
