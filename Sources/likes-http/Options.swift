import LikesHost
import LikesSettings

/// What the command line asks for.
struct Options {
    enum Task {
        case serve, help, version
    }

    var task = Task.serve
    /// Where to listen, as given; none: the default, unless systemd hands sockets over.
    var addresses: [String] = []
    /// likesd's socket.
    var socketPath: String
    var allowsRemote = false

    static let addressOtherwise = "127.0.0.1:8000"

    /// Reads the arguments behind the program's name.
    init(_ arguments: some Sequence<String>) throws(GatewayError) {
        let named = Environment.value(Setting.socket.rawValue) ?? ""
        socketPath = named.isEmpty ? Configuration().socketPath : named
        var rest = arguments.makeIterator()
        while let argument = rest.next() {
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
                String($0)
            }
            let (name, joined) = (parts[0], parts.count > 1 ? parts[1] : nil)
            switch (name, joined) {
            case ("--help", nil), ("-h", nil):
                task = .help
                return
            case ("--version", nil):
                task = .version
                return
            case ("--allow-remote", nil): allowsRemote = true
            case ("--listen", _):
                guard let address = joined ?? rest.next() else { throw Self.wrong("--listen needs an address") }
                guard addresses.count < GatewayLimits.addressesMax else {
                    throw Self.wrong("at most \(GatewayLimits.addressesMax) addresses")
                }
                addresses.append(address)
            case ("--socket", _):
                guard let path = joined ?? rest.next() else { throw Self.wrong("--socket needs a path") }
                socketPath = path
            default: throw Self.wrong("unknown option '\(argument)'")
            }
        }
    }

    static func wrong(_ what: String) -> GatewayError { GatewayError("\(what)\nTry 'likes-http --help'.", .usage) }

    static let helpText = """
        Usage: likes-http [--listen ADDRESS ...] [--socket PATH] [--allow-remote]

        Likes, unlikes and counts of likesd over HTTP. A page to try it is at /docs.

          --listen ADDRESS   127.0.0.1:8000 (the default), [::1]:8000, or the path of a Unix socket, also as
                             PATH,mode=0660,group=NAME. May be repeated. Under systemd the .socket unit decides
          --socket PATH      likesd's socket; otherwise $LIKESD_SOCKET, or /run/likesd/likesd.sock
          --allow-remote     listen at addresses that other hosts reach: whoever reaches it may like as any user
          --version          print the version
          --help             print this

        Exit status: 0 stopped when asked to; 1 could not start or go on; 64 wrong usage.

        """
}
