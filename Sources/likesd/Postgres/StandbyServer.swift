import LikesCore
import LikesHost
import LikesSettings
import LikesStorage

/// Finds the server of one URL in DATABASE_REPLICA_URLS. Nobody has to be asked before: with each answer, a standby
/// proves how fresh it is.
final class StandbyServer: ServerFinder {
    let url: String
    let setting = Setting.databaseReplicaURLs
    private let configuration: Configuration
    private let hosts: DatabaseHosts
    private let lookup: NameLookup
    /// libpq begins with another server each time: one that hangs would take all of an attempt's time.
    private var attempts = 0

    init(_ place: Int, configuration: Configuration, loop: EventLoop) {
        url = configuration.databaseReplicaURLs[place]
        self.configuration = configuration
        hosts = DatabaseHosts(of: url)
        lookup = NameLookup(hosts.names, loop: loop)
    }

    func find(for backend: Backend, _ found: @escaping (FoundServer) -> Void) {
        do {
            try lookup.start { [unowned self] answer in found(self.found(answer)) }
        } catch {
            found(.failed(.unreachable(error.message)))
        }
    }

    func forget(_ backend: Backend) { lookup.forget() }

    private func found(_ answer: NameLookup.Answer) -> FoundServer {
        var servers = hosts.servers(answer)
        if !servers.isEmpty {
            let first = attempts % servers.count
            servers = Array(servers[first...] + servers[..<first])
            attempts += 1
        }
        if servers.isEmpty, let failure = hosts.failure(answer, setting, configuration) { return .failed(failure) }
        // Of several servers libpq takes the first that is a standby, if there is one. Other wishes in the URL, such as
        // for a primary, make no sense here.
        let wish = hosts.isChoice(servers) ? "prefer-standby" : "any"
        return .only(DatabaseHosts.settings(servers) + [("target_session_attrs", wish)])
    }
}
