/// A request as it came off the wire, whole.
package struct HTTPRequest: Equatable, Sendable {
    package var method: String
    /// Path and query, as they were sent.
    package private(set) var target: String
    package var contentType: String?
    package var accept: String?
    package var body: [UInt8]

    package init(
        _ method: String, _ target: String, contentType: String? = nil, accept: String? = nil, body: [UInt8] = []
    ) {
        self.method = method
        self.target = target.utf8.first == UInt8(ascii: "/") ? target : Self.origin(of: target)
        self.contentType = contentType
        self.accept = accept
        self.body = body
    }

    /// A proxy, or a client that takes this for one, names the host as well: `http://host:8000/v1/count?item_id=1`.
    private static func origin(of target: String) -> String {
        let schemes = ["http://", "https://"]
        guard let scheme = schemes.first(where: { target.prefix($0.count).lowercased() == $0 }) else { return target }
        let rest = target.utf8.dropFirst(scheme.utf8.count).drop { $0 != UInt8(ascii: "/") && $0 != QueryText.mark }
        return (rest.first == UInt8(ascii: "/") ? "" : "/") + String(Substring(rest))
    }

    /// The path before the query, with its percent signs resolved.
    var path: String {
        let path = target.utf8.prefix { $0 != QueryText.mark }
        guard path.contains(UInt8(ascii: "%")) else { return String(Substring(path)) }
        return String(decoding: QueryText.decoded(path), as: UTF8.self)
    }

    /// Behind the question mark, as it was sent.
    var query: Substring.UTF8View { Substring(target).utf8.drop { $0 != QueryText.mark }.dropFirst() }

    /// The target without the slash at the end of its path; nil: there is none. As it was sent: what percent signs
    /// stand for may have no place in a header.
    var targetWithoutSlash: String? {
        let path = target.utf8.prefix { $0 != QueryText.mark }
        guard path.count > 1, path.last == UInt8(ascii: "/") else { return nil }
        return String(Substring(path.dropLast())) + String(Substring(target.utf8[path.endIndex...]))
    }

    /// Whether errors are wanted in the form of RFC 9457: `Accept` names its media type.
    package var wantsProblems: Bool {
        guard let accept, accept.utf8.count >= HTTPResponse.problemType.utf8.count else { return false }
        return accept.lowercased().split(separator: ",").contains { range in
            let parts = range.split(separator: ";").map { $0.filter { !$0.isWhitespace } }
            let isRefused = parts.dropFirst().contains { $0.hasPrefix("q=") && (Double($0.dropFirst(2)) ?? 1) <= 0 }
            return parts.first == HTTPResponse.problemType && !isRefused
        }
    }
}
