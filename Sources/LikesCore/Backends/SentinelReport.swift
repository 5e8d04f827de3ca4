import LikesStorage

/// How Redis' Sentinels stand, for INFO, METRICS, HEALTH and the log.
package struct SentinelReport: Equatable, Sendable {
    /// One Sentinel, and what it names; nil: it does not answer, or names none.
    package struct State: Equatable, Sendable {
        package var sentinel: String
        package var names: NamedPrimary?
        package init(sentinel: String, names: NamedPrimary?) {
            self.sentinel = sentinel
            self.names = names
        }
    }

    /// The server that connections use, or used last; nil: there was none yet.
    package var used: NamedPrimary?
    /// In the order of the URL.
    package var sentinels: [State]
    /// What somebody should see to, even if all else is well.
    package var troubles: [ServerAdvice]

    package init(used: NamedPrimary?, sentinels: [State], troubles: [ServerAdvice]) {
        self.used = used
        self.sentinels = sentinels
        self.troubles = troubles
    }

    var answering: Int { sentinels.count { $0.names != nil } }
}

/// What the Sentinels said last, and how often they named another server.
struct SentinelReports {
    private(set) var last: SentinelReport?
    /// How often another server was used than before.
    private(set) var movesTotal: Int64 = 0

    /// Troubles that are news; nil: all of the former ones have ended.
    mutating func take(_ report: SentinelReport) -> [ServerAdvice]? {
        let former = last?.troubles ?? []
        if let before = last?.used, let now = report.used, before.address != now.address { movesTotal += 1 }
        last = report
        if report.troubles.isEmpty, !former.isEmpty { return nil }
        return report.troubles.filter { !former.contains($0) }
    }
}
