import LikesJSON

/// A whole response, without what belongs to the connection.
package struct HTTPResponse: Equatable, Sendable {
    package struct Header: Equatable, Sendable {
        package var name: String
        package var value: String
    }

    package var status: Int
    package var headers: [Header]
    package var body: [UInt8]

    package static let jsonType = "application/json"
    package static let problemType = "application/problem+json"
    /// The text format of Prometheus.
    static let metricsType = "text/plain; version=0.0.4; charset=utf-8"

    package init(_ status: Int, type: String, _ body: [UInt8], _ headers: [Header] = []) {
        self.status = status
        self.headers = [Header(name: "Content-Type", value: type)] + headers
        self.body = body
    }

    /// A response in JSON.
    package static func json(_ value: JSON, status: Int = 200) -> HTTPResponse {
        HTTPResponse(status, type: jsonType, value.bytes)
    }

    /// The path goes on without the slash at its end. The method and the body stay (RFC 9110, 15.4.8).
    static func redirect(to target: String) -> HTTPResponse {
        var response = HTTPResponse(307, type: jsonType, [])
        response.headers = [Header(name: "Location", value: target)]
        return response
    }
}
