import CPostgres
import LikesStorage

extension DatabaseHosts {
    /// The servers that a URL names, otherwise the environment or a service file. None if libpq cannot read the URL.
    package init(of url: String) { self.init(Self.values(of: Self.keywords, url: url)) }

    private static func values(of keywords: Set<String>, url: String) -> [String: String] {
        // libpq fills in all settings, finds this invalid value, and stops.
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
