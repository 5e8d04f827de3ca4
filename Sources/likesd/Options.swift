/// What the command line asks for.
enum Options: Equatable {
    /// Run, with the settings of this file if there is one.
    case run(file: String?)
    /// Print the settings in force, and stop.
    case checkConfiguration(file: String?)
    case version
    case help

    /// Reads the arguments behind the program's name.
    init(_ arguments: some Sequence<String>) throws(DaemonError) {
        var file: String?
        var isCheck = false
        var rest = arguments.makeIterator()
        while let argument = rest.next() {
            switch argument {
            case "--version":
                self = .version
                return
            case "--help", "-h":
                self = .help
                return
            case "--check-config": isCheck = true
            case "--config":
                guard let path = rest.next() else { throw DaemonError("--config needs a file", .usage) }
                file = path
            default:
                guard argument.hasPrefix("--config=") else {
                    throw DaemonError("unknown option '\(argument)'", .usage)
                }
                file = String(argument.dropFirst("--config=".count))
            }
        }
        self = isCheck ? .checkConfiguration(file: file) : .run(file: file)
    }

    static let helpText = """
        Usage: likesd [--config FILE] [--check-config]

        Likes, unlikes and counts on a Unix socket, kept in PostgreSQL, cached in Redis.

          --config FILE    read the settings from FILE, lines of NAME=value. Credentials (in
                           $CREDENTIALS_DIRECTORY, as systemd hands them over) and the environment override them
          --check-config   check the settings, print those in force with secrets masked, and stop
          --version        print the version of likesd and of what it is built with
          --help           print this

        Exit status: 0 stopped when asked to; 1 could not start or go on; 64 wrong usage; 78 wrong configuration.
        The tables are made by 'likesctl migrate'.

        """
}
