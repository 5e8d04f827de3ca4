import CPostgres
import LikesStorage

extension DatabaseHosts {
    /// The servers that a URL names, or else the environment or a service file; none where libpq can't read the URL.
    package init(of url: String) { self.init(Self.values(of: Self.keywords, url: url)) }

    private static func values(of keywords: Set<String>, url: String) -> [String: String] {
        // libpq fills in all settings, finds that this one has no such value, and goes no further.
        let connection = CStrings.with(["dbname", "sslmode"]) { names in
            CStrings.with([url, "?"]) { values in PQconnectStartParams(names, values, 1) }
        }
        defer { PQfinish(connection) }
        let options = PQconninfo(connection)
        defer { PQconninfoFree(options) }
        var values: [String: String] = [:]
        var option = options
        while let current = option, let keyword = current.pointee.keyword.map({ String(cString: $0) }) {
            option = current + 1
            guard keywords.contains(keyword), let value = current.pointee.val else { continue }
            values[keyword] = String(cString: value)
        }
        return values
    }
}
