import LikesHost
import LikesSettings
import LikesStorage
import LikesctlCommands

/// Which server is used if DATABASE_URL names several: the one that likesd would use.
enum DatabaseChoice {
    /// Seconds for connecting to a server in order to ask who it is.
    static let connectSeconds = 3
    /// Milliseconds for its answer, including the time in which the server may report a timeout itself.
    static let answerMs: Int64 = 3_000

    /// Settings of libpq that take precedence over the URL's; none if there is no choice. `warn`: takes what is wrong
    /// with the other servers. Whoever misses it finds it in HEALTH as well.
    static func settings(
        _ configuration: Configuration, for command: Command, warn: (Warning) throws(Failure) -> Void
    ) throws(Failure) -> DatabaseHosts.Settings {
        let hosts = DatabaseHosts(of: configuration.databaseURL)
        let setting = configuration.places.text(of: .databaseURL)
        let servers = hosts.servers([:])
        guard hosts.isChoice(servers) else { return [] }
        var view = ServerView(seen: [], known: nil)
        var failures: [(server: DatabaseServer, failure: Failure)] = []
        for server in servers {
            do {
                let facts = try ask(server, configuration, command)
                view.seen.append(ServerView.Seen(server: server, facts: facts))
            } catch {
                failures.append((server, error))
            }
        }
        var choice = view.primary
        // Reading alone is possible on a standby.
        if choice == .missing, command == .verify || command == .export {
            choice = view.reader(allowsStandby: hosts.allowsStandby)
        }
        switch choice {
        case .server(let chosen):
            for (server, failure) in failures {
                try warn(
                    Warning(
                        message: "\(server.name) could not be asked who it is: \(failure.message)", next: failure.next))
            }
            for conflict in view.passedOver(for: chosen) {
                try warn(Warning(message: conflict.reason, next: conflict.next(setting)))
            }
            return settings(of: chosen.server)
        case .conflict(let conflict):
            throw Failure(.unreachable, conflict.reason, next: conflict.next(setting))
        case .missing: throw missing(view, failures.map(\.failure), configuration)
        }
    }

    private static func ask(
        _ server: DatabaseServer, _ configuration: Configuration, _ command: Command
    ) throws(Failure) -> ServerFacts {
        let limited = settings(of: server) + [("connect_timeout", String(connectSeconds))]
        let database = try Database.open(limited, configuration, for: command)
        let rows = try database.execute(ServerFacts.question, timeoutMs: answerMs)
        guard let row = rows.first, let facts = ServerFacts(row.map { $0 ?? "" }) else {
            throw Failure(.refused, "\(server.name) did not say who it is")
        }
        return facts
    }

    /// The choice is made, so libpq must accept any server.
    private static func settings(of server: DatabaseServer) -> DatabaseHosts.Settings {
        DatabaseHosts.settings([server]) + [("target_session_attrs", "any")]
    }

    private static func missing(
        _ view: ServerView, _ failures: [Failure], _ configuration: Configuration
    ) -> Failure {
        let standbys = view.seen.map { "\($0.server.name) is a standby" }
        guard !standbys.isEmpty else {
            // A server that answered needs attention first.
            let first = failures.first { $0.status != .unreachable } ?? failures.first
            return first ?? Failure(.unreachable, "no server answers")
        }
        let advice = Advice(configuration, on: HostFacts.measured())
        let all = standbys + failures.map(\.message)
        return Failure(.unreachable, all.joined(separator: "\n"), next: advice.primary)
    }
}
