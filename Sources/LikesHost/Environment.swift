import CLinux
import Glibc

/// The process' environment variables.
package enum Environment {
    package static func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// All of them that are text; of two with one name the first, as for `value`.
    package static var all: [String: String] {
        var values: [String: String] = [:]
        guard var next = process_environment() else { return values }
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                let name = String(text[..<equals])
                if values[name] == nil { values[name] = String(text[text.index(after: equals)...]) }
            }
            next += 1
        }
        return values
    }

    /// Those of `names` that are set.
    package static func values(_ names: [String]) -> [String: String] {
        var values: [String: String] = [:]
        for name in names { values[name] = value(name) }
        return values
    }
}
