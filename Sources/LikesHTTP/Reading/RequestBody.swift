import LikesJSON

/// What a request's body is.
enum RequestBody {
    /// There is none, or it is `null`.
    case missing
    case json(JSON)
    /// Of another media type than JSON: its text, which no operation takes.
    case other(String?)

    /// Only a JSON media type is read as JSON, and a body without a type.
    static func read(_ request: HTTPRequest) throws(Unreadable) -> RequestBody {
        guard !request.body.isEmpty else { return .missing }
        let isText = String(validating: request.body, as: UTF8.self) != nil
        guard request.contentType.map(isJSON) ?? true else {
            return .other(isText ? String(decoding: request.body, as: UTF8.self) : nil)
        }
        guard isText else { throw .notText }
        do throws(JSONReader.Fault) {
            let value = try JSONReader.read(request.body)
            if case .null = value { return .missing }
            return .json(value)
        } catch {
            throw .notJSON(error)
        }
    }

    enum Unreadable: Error {
        case notText
        case notJSON(JSONReader.Fault)
    }

    /// `application/json`, and what ends in `+json`.
    private static func isJSON(_ type: String) -> Bool {
        let name = type.prefix { $0 != ";" }.filter { !$0.isWhitespace }.lowercased()
        return name == HTTPResponse.jsonType || name.hasPrefix("application/") && name.hasSuffix("+json")
    }
}
