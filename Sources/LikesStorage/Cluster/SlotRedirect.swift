/// Where a node of a Redis Cluster sends those who ask it for a key that it does not have.
package struct SlotRedirect: Hashable, Sendable {
    package var host: String
    package var port: Int
    /// ASK: the slot is on its way there. Otherwise MOVED: that node owns it.
    package var isAsk: Bool

    /// From `MOVED 3999 127.0.0.1:6381` or `ASK …`; nil: it is something else, or names no address. `askedHost`: who
    /// said it. A node that does not know another's host means its own.
    package init?(error: String, askedHost: String) {
        let words = error.split(separator: " ")
        guard words.count == 3, words[0] == "MOVED" || words[0] == "ASK", let colon = words[2].lastIndex(of: ":"),
            let port = Int(words[2][words[2].index(after: colon)...]), (1...65_535).contains(port)
        else { return nil }
        let host = words[2][..<colon]
        guard host != "?" else { return nil }
        self.host = host.isEmpty ? askedHost : String(host)
        self.port = port
        isAsk = words[0] == "ASK"
    }
}
