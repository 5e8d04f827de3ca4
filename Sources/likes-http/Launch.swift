import CLinux
import CMicrohttpd
import Glibc
import LikesProtocol
import LikesSettings

/// From the command line to a running gateway.
enum Launch {
    static func run(_ arguments: some Sequence<String>) -> ExitStatus {
        do throws(GatewayError) {
            let options = try Options(arguments)
            switch options.task {
            case .help: print(Options.helpText, terminator: "")
            case .version: print("likes-http \(Release.version)\nlibmicrohttpd \(String(cString: MHD_get_version()))")
            case .serve: try serve(options)
            }
            return .success
        } catch {
            Log.line("likes-http: \(ForeignText.escaped(error.message, lines: true))")
            return error.status
        }
    }

    private static func serve(_ options: Options) throws(GatewayError) {
        // From the start, these signals wait for the loop: a request to stop is not a crash, whenever it comes.
        for number in [SIGTERM, SIGINT] { try Loop.block(number) }
        // If a client or a log reader went away, the write fails, but the process goes on.
        signal(SIGPIPE, SIG_IGN)
        // The C library raises its bound with each large block that is freed, and then keeps such blocks.
        mallopt(M_MMAP_THRESHOLD, GatewayLimits.keptBlockBytesMax)
        let service = try Service(options)
        try service.run()
    }
}
