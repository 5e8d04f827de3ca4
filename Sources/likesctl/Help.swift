import LikesProtocol
import LikesSettings

/// The words of `--help` and `--version`.
enum Help {
    static let version = "likesctl \(Release.version)"

    /// What the whole command can do.
    static var overall: String {
        var text = """
            usage: likesctl COMMAND [OPTION…] [ARGUMENT…]

            Talks to the likesd of this host.


            """
        for command in Command.allCases {
            let form = "\(command.rawValue) \(command.arguments)"
            text += "  " + padded(form, to: 20) + command.summary + "\n"
        }
        text += """

            A USER is a number from 0 to 9223372036854775807. An ITEM is a type and such a
            number, as in post:456; the daemon's ITEM_TYPES says which types there are.

              --socket PATH       the daemon's socket; else LIKESD_SOCKET from the environment,
                                  else \(Configuration().socketPath)
              --json              print JSON
              --config FILE       (migrate, verify) the configuration file
              -h, --help          this text; 'likesctl COMMAND --help' tells more
              -V, --version       the version
              --                  what follows is no option

            Exit status:

            """
        for status in ExitStatus.allCases {
            text += "  " + padded(String(status.rawValue), to: 4) + status.meaning + "\n"
        }
        return text
    }

    /// What one of its commands does.
    static func of(_ command: Command) -> String {
        """
        usage: \(command.usage)

        \(command.summary.prefix(1).uppercased() + command.summary.dropFirst()).

        \(command.explanation)

        """
    }

    private static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }
}
