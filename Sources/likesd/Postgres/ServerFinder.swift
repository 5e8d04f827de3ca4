import LikesCore
import LikesHost
import LikesSettings
import LikesStorage

/// Finds the server for each connection to PostgreSQL.
protocol ServerFinder: AnyObject {
    /// What libpq gets, and the setting that it comes from.
    var url: String { get }
    var setting: Setting { get }

    /// Calls `found` once, immediately or later. `forget` cancels it.
    func find(for backend: Backend, _ found: @escaping (FoundServer) -> Void)
    func forget(_ backend: Backend)
}

enum FoundServer {
    /// The only server; no settings: libpq chooses.
    case only(ConnectionStart.Settings)
    /// Chosen from several.
    case chosen(ServerView.Seen)
    case failed(BackendFailure)

    /// Settings that override the URL's.
    var settings: ConnectionStart.Settings {
        switch self {
        case .only(let settings): settings
        // The choice is made, so libpq must accept any server.
        case .chosen(let seen): DatabaseHosts.settings([seen.server]) + [("target_session_attrs", "any")]
        case .failed: []
        }
    }
}

extension DatabaseHosts {
    /// The names for whose look-up libpq would wait.
    var names: [String] { hosts.filter(NameLookup.isName) }

    /// Why names have no addresses.
    static func unresolved(_ answer: NameLookup.Answer) -> [String] {
        answer.values.compactMap { if case .failure(let failure) = $0 { failure.text } else { nil } }.sorted()
    }

    /// Why there is no server, if that is because of names without addresses.
    func failure(_ answer: NameLookup.Answer, _ setting: Setting, _ configuration: Configuration) -> BackendFailure? {
        let unresolved = Self.unresolved(answer)
        guard !unresolved.isEmpty else { return nil }
        let advice = Advice(configuration, on: .measured())
        let next = names.first.map { advice.name($0, of: setting) }
        return .unreachable(unresolved.joined(separator: "; "), next: next)
    }
}
