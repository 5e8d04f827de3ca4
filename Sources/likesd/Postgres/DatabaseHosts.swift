import CPostgres
import Glibc
import LikesCore

/// The servers that DATABASE_URL names, where it names several: which of them is wanted, and in what order libpq is to
/// try them.
///
/// libpq tries the next server when one refuses, but waits without end for one that does not answer: such a one goes to
/// the end of the line, and of its addresses, where it is a name with several, the first goes behind the others. And it
/// knows no "the primary, or else a standby", which the reader wants: it asks for the
/// primary alone, and after that failed for any.
struct DatabaseHosts {
    private struct Server: Equatable {
        var host: String?
        var address: String?
        var port: String?
        /// The address that was waited for in vain, if it is one of a name's: tried last of those.
        var hungAddress: String?

        /// Each address of the name for itself, beginning behind the one that hung.
        func expanded(_ addresses: [String]) -> [Server] {
            let hung = hungAddress.flatMap { addresses.firstIndex(of: $0) }
            let first = hung.map { $0 + 1 } ?? 0
            return (addresses[first...] + addresses[..<first]).map { Server(host: host, address: $0, port: port) }
        }
    }

    private let isLane: Bool
    private var servers: [Server] = []
    private let isChoosing: Bool
    /// The reader's next attempt takes a standby too.
    private var takesAny = false

    /// A URL that libpq cannot read has no servers: connecting will say why.
    init(of url: String, for backend: Backend) {
        isLane = backend == .lane
        let parsed = PQconninfoParse(url, nil)
        defer { PQconninfoFree(parsed) }
        var lists: [String: [String]] = [:]
        var isChosen = getenv("PGTARGETSESSIONATTRS") != nil
        var option = parsed
        while let current = option, let keyword = current.pointee.keyword {
            option = current + 1
            guard let value = current.pointee.val else { continue }
            let name = String(cString: keyword)
            if name == "target_session_attrs" { isChosen = true }
            lists[name] = String(cString: value).split(separator: ",", omittingEmptySubsequences: false).map(
                String.init)
        }
        let hosts = lists["host"] ?? []
        let addresses = lists["hostaddr"] ?? []
        let ports = lists["port"] ?? []
        let count = max(hosts.count, addresses.count)
        isChoosing = count > 1 && !isChosen
        servers = (0..<count).map { place in
            // One port is every server's.
            let port = ports.count == 1 ? ports[0] : ports.indices.contains(place) ? ports[place] : nil
            return Server(
                host: hosts.indices.contains(place) ? hosts[place] : nil,
                address: addresses.indices.contains(place) && !addresses[place].isEmpty ? addresses[place] : nil,
                port: port)
        }
    }

    /// Settings that the URL may override: none where it chooses by itself, or where there is no choice.
    var preferences: [(keyword: String, value: String)] {
        guard isChoosing else { return [] }
        if isLane { return [("target_session_attrs", "read-write")] }
        return [("target_session_attrs", takesAny ? "any" : "primary")]
    }

    /// Those that libpq would wait for the network to look up.
    var names: [String] {
        let hosts = servers.filter { $0.address == nil }.compactMap(\.host).filter(NameLookup.isName)
        return Set(hosts).sorted()
    }

    /// Settings that override the URL's: its servers, in the order they are to be tried, each address of a name for
    /// itself. Names without an address are left out.
    func order(_ found: NameLookup.Answer) -> [(keyword: String, value: String)] {
        let servers = servers.flatMap { server -> [Server] in
            guard server.address == nil, let host = server.host, let answer = found[host] else { return [server] }
            guard case .success(let addresses) = answer else { return [] }
            return server.expanded(addresses)
        }
        let lists: [(String, [String?])] = [
            ("host", servers.map(\.host)), ("hostaddr", servers.map(\.address)), ("port", servers.map(\.port)),
        ]
        return lists.filter { $0.1.contains { $0 != nil } }.map { keyword, values in
            (keyword, values.map { $0 ?? "" }.joined(separator: ","))
        }
    }

    mutating func connected() { takesAny = false }

    /// None of the servers was taken.
    mutating func refused() { takesAny.toggle() }

    /// The server, as libpq names it, that was waited for when time was up, and which of the addresses it was.
    mutating func hung(host: String, address: String?, port: String?) {
        takesAny.toggle()
        let port = Self.normal(port)
        let place = servers.firstIndex { ($0.host ?? $0.address) == host && Self.normal($0.port) == port }
        guard let place else { return }
        var server = servers.remove(at: place)
        server.hungAddress = address
        servers.append(server)
    }

    private static func normal(_ port: String?) -> String { port.flatMap { $0.isEmpty ? nil : $0 } ?? "5432" }
}
