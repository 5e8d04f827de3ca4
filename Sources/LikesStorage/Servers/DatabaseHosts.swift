/// A PostgreSQL server, by one of the ways that lead to it.
package struct DatabaseServer: Hashable, Sendable {
    /// A name, an address, or the folder of a Unix socket; nil if only addresses are given.
    package var host: String?
    /// One address, or all those of a name of this machine; none: libpq uses `host`.
    package var addresses: [String]
    package var port: String?
    /// The host is a name that stands for several servers.
    var isOneOfSeveral: Bool

    package init(host: String?, addresses: [String] = [], port: String? = nil, isOneOfSeveral: Bool = false) {
        self.host = host
        self.addresses = addresses
        self.port = port
        self.isOneOfSeveral = isOneOfSeveral
    }

    /// For people.
    package var name: String {
        var name = host.flatMap { $0.isEmpty ? nil : $0 } ?? addresses.first ?? "the local server"
        if let port, !port.isEmpty, port != "5432" { name = (name.contains(":") ? "[\(name)]" : name) + ":\(port)" }
        return isOneOfSeveral ? "\(name) (\(addresses.joined(separator: ", ")))" : name
    }
}

/// The servers named by DATABASE_URL, the environment, or a service file.
package struct DatabaseHosts {
    /// Numeric addresses of each name, IPv4 first; the reason if there are none.
    package typealias Addresses = [String: Result<[String], LookupFailure>]
    /// Settings for libpq.
    package typealias Settings = [(keyword: String, value: String)]
    /// libpq's settings that name servers and say which kind of server is wanted.
    package static let keywords: Set<String> = ["host", "hostaddr", "port", "target_session_attrs"]

    private let servers: [DatabaseServer]
    /// Without a primary the reader uses a standby.
    package let allowsStandby: Bool

    /// `values`: libpq's values for the `keywords`. An unreadable URL has no servers: connecting will say why.
    package init(_ values: [String: String]) {
        func list(_ keyword: String) -> [String] {
            values[keyword, default: ""].split(separator: ",", omittingEmptySubsequences: values[keyword] == nil).map(
                String.init)
        }
        let (hosts, addresses, ports) = (list("host"), list("hostaddr"), list("port"))
        let wish = values["target_session_attrs"]
        allowsStandby = wish != "primary" && wish != "read-write"
        let count = max(hosts.count, addresses.count)
        // libpq refuses lists that do not fit each other.
        let fits = [hosts.count, addresses.count].allSatisfy { $0 == 0 || $0 == count }
        guard fits, [0, 1, count].contains(ports.count), !hosts.isEmpty || !addresses.isEmpty else {
            servers = []
            return
        }
        servers = (0..<count).map { place in
            // A single port applies to every server.
            let port = ports.count == 1 ? ports[0] : ports.isEmpty ? nil : ports[place]
            let address = addresses.isEmpty || addresses[place].isEmpty ? [] : [addresses[place]]
            return DatabaseServer(host: hosts.isEmpty ? nil : hosts[place], addresses: address, port: port)
        }
    }

    /// Hosts without an address: names, and paths of sockets.
    package var hosts: [String] { Set(servers.filter(\.addresses.isEmpty).compactMap(\.host)).sorted() }

    /// Whether there are several to choose from.
    package func isChoice(_ servers: [DatabaseServer]) -> Bool { self.servers.count > 1 || servers.count > 1 }

    /// All servers in the order of the URL, each address of a name as its own server. Names without an address are left
    /// out.
    package func servers(_ found: Addresses) -> [DatabaseServer] {
        servers.flatMap { server -> [DatabaseServer] in
            guard server.addresses.isEmpty, let host = server.host, let answer = found[host] else { return [server] }
            guard case .success(let addresses) = answer else { return [] }
            // All these addresses are this machine's. libpq tries them in turn.
            if addresses.allSatisfy(Self.isLoopback) {
                return [DatabaseServer(host: host, addresses: addresses, port: server.port)]
            }
            return addresses.map {
                DatabaseServer(host: host, addresses: [$0], port: server.port, isOneOfSeveral: addresses.count > 1)
            }
        }
    }

    /// Settings that override the URL's: only these servers, in this order.
    package static func settings(_ servers: [DatabaseServer]) -> Settings {
        var lists: [(String, [String?])] = [("host", []), ("hostaddr", []), ("port", [])]
        for server in servers {
            for address in server.addresses.isEmpty ? [nil] : server.addresses.map(Optional.some) {
                lists[0].1.append(server.host)
                lists[1].1.append(address)
                lists[2].1.append(server.port)
            }
        }
        return lists.filter { $0.1.contains { $0 != nil } }.map { keyword, values in
            (keyword, values.map { $0 ?? "" }.joined(separator: ","))
        }
    }

    private static func isLoopback(_ address: String) -> Bool { address == "::1" || address.hasPrefix("127.") }
}

/// Why a name has no addresses.
package struct LookupFailure: Error {
    package var text: String
    package init(text: String) { self.text = text }
}
