/// A request as it came off the wire, whole.
package struct HTTPRequest: Equatable, Sendable {
    package var method: String
    /// Path and query, as they were sent.
    package var target: String
    package var contentType: String?
    package var accept: String?
    package var body: [UInt8]

    package init(
        _ method: String, _ target: String, contentType: String? = nil, accept: String? = nil, body: [UInt8] = []
    ) {
        self.method = method
        self.target = target
        self.contentType = contentType
        self.accept = accept
        self.body = body
    }

    /// The path before the query, with its percent signs resolved.
    var path: String {
        let path = target.utf8.prefix { $0 != QueryText.mark }
        guard path.contains(UInt8(ascii: "%")) else { return String(Substring(path)) }
        return String(decoding: QueryText.decoded(path), as: UTF8.self)
    }

    /// Behind the question mark, as it was sent.
    var query: Substring.UTF8View { Substring(target).utf8.drop { $0 != QueryText.mark }.dropFirst() }

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
