import LikesProtocol

/// What happened since the start, and how things are, for `/metrics`.
final class Metrics {
    var connections: Int64 = 0
    var connectionsRefused: Int64 = 0
    var requestsTooSlow: Int64 = 0
    var daemonConnections: Int64 = 0
    var daemonConnectionsLost: Int64 = 0
    private var responses: [Int: Int64] = [:]

    func count(_ status: Int) { responses[status, default: 0] += 1 }

    /// In the text format of Prometheus. `open`: clients' connections; `underWay`: requests that likesd is asked about;
    /// `waiting`: those of them that have something to send; `links`: connections to likesd.
    func text(open: Int, underWay: Int, waiting: Int, links: Int) -> String {
        var text = family("likes_http_responses_total", "counter", "Responses by status.")
        for (status, count) in responses.sorted(by: { $0.key < $1.key }) {
            text += "likes_http_responses_total{status=\"\(status)\"} \(count)\n"
        }
        text += single("likes_http_connections", "gauge", "Open connections of clients.", Int64(open))
        text += single("likes_http_connections_total", "counter", "Connections of clients accepted.", connections)
        text += single(
            "likes_http_connections_refused_total", "counter", "Connections refused for their number.",
            connectionsRefused)
        text += single(
            "likes_http_requests_too_slow_total", "counter", "Requests that did not arrive in time.", requestsTooSlow)
        text += single(
            "likes_http_requests_under_way", "gauge", "Requests that likesd is asked about.", Int64(underWay))
        text += single(
            "likes_http_requests_waiting", "gauge", "Those of them that likesd has no room for yet.", Int64(waiting))
        text += single("likes_http_daemon_connections", "gauge", "Open connections to likesd.", Int64(links))
        text += single(
            "likes_http_daemon_connections_total", "counter", "Connections to likesd made.", daemonConnections)
        text += single(
            "likes_http_daemon_connections_lost_total", "counter", "Connections to likesd lost.",
            daemonConnectionsLost)
        return text
    }

    private func family(_ name: String, _ kind: String, _ help: String) -> String {
        "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
    }

    private func single(_ name: String, _ kind: String, _ help: String, _ value: Int64) -> String {
        family(name, kind, help) + "\(name) \(value)\n"
    }
}
