/// A server of PostgreSQL, by one of the ways that lead to it.
package struct DatabaseServer: Hashable, Sendable {
    /// A name, an address, or the folder of a Unix socket; nil: where only addresses are given.
    package var host: String?
    /// One, or those of a name of this machine itself; none: libpq knows by `host`.
    package var addresses: [String]
    package var port: String?
    /// The host is a name that several servers answer to.
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

/// The servers that DATABASE_URL names, or the environment, or a service file.
package struct DatabaseHosts {
    /// Numeric addresses of each name, those of IPv4 first; the reason where there are none.
    package typealias Addresses = [String: Result<[String], LookupFailure>]
    /// Settings of libpq.
    package typealias Settings = [(keyword: String, value: String)]
    /// What of libpq's settings names servers, and what it is to be like.
    package static let keywords: Set<String> = ["host", "hostaddr", "port", "target_session_attrs"]

    private let servers: [DatabaseServer]
    /// Without a primary the reader takes a standby.
    package let allowsStandby: Bool

    /// `values`: what libpq takes the `keywords` for. A URL that it can't read has no servers: connecting will say why.
    package init(_ values: [String: String]) {
        func list(_ keyword: String) -> [String] {
            values[keyword, default: ""].split(separator: ",", omittingEmptySubsequences: values[keyword] == nil).map(
                String.init)
        }
        let (hosts, addresses, ports) = (list("host"), list("hostaddr"), list("port"))
        let wish = values["target_session_attrs"]
        allowsStandby = wish != "primary" && wish != "read-write"
        let count = max(hosts.count, addresses.count)
        // Lists that do not fit each other are libpq's to refuse.
        let fits = [hosts.count, addresses.count].allSatisfy { $0 == 0 || $0 == count }
        guard fits, [0, 1, count].contains(ports.count), !hosts.isEmpty || !addresses.isEmpty else {
            servers = []
            return
        }
        servers = (0..<count).map { place in
            // One port is every server's.
            let port = ports.count == 1 ? ports[0] : ports.isEmpty ? nil : ports[place]
            let address = addresses.isEmpty || addresses[place].isEmpty ? [] : [addresses[place]]
            return DatabaseServer(host: hosts.isEmpty ? nil : hosts[place], addresses: address, port: port)
        }
    }

    /// Hosts without an address: names, and paths of sockets.
    package var hosts: [String] { Set(servers.filter(\.addresses.isEmpty).compactMap(\.host)).sorted() }

    /// Whether there is something to choose from.
    package func isChoice(_ servers: [DatabaseServer]) -> Bool { self.servers.count > 1 || servers.count > 1 }

    /// All of them in the order of the URL, each address of a name for itself. Names without an address are left out.
    package func servers(_ found: Addresses) -> [DatabaseServer] {
        servers.flatMap { server -> [DatabaseServer] in
            guard server.addresses.isEmpty, let host = server.host, let answer = found[host] else { return [server] }
            guard case .success(let addresses) = answer else { return [] }
            // This machine answers by all of its own, which libpq tries in turn.
            if addresses.allSatisfy(Self.isLoopback) {
                return [DatabaseServer(host: host, addresses: addresses, port: server.port)]
            }
            return addresses.map {
                DatabaseServer(host: host, addresses: [$0], port: server.port, isOneOfSeveral: addresses.count > 1)
            }
        }
    }

    /// Settings that override the URL's: these servers alone, in this order.
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
