/// What was seen of several servers, and which of them to use.
package struct ServerView {
    package struct Seen: Hashable, Sendable {
        package var server: DatabaseServer
        package var facts: ServerFacts
        package init(server: DatabaseServer, facts: ServerFacts) {
            self.server = server
            self.facts = facts
        }
    }

    package enum Choice: Equatable {
        case server(Seen)
        /// No server that the connection could use.
        case missing
        case conflict(ServerConflict)
    }

    /// The servers that answered, in the order of the URL.
    package var seen: [Seen]
    /// The primary that the lane used last.
    package var known: Seen?

    package init(seen: [Seen], known: Seen?) {
        self.seen = seen
        self.known = known
    }

    /// The server for the lane: of those that are not standbys, the one at the latest timeline.
    package var primary: Choice {
        let all = seen.filter { !$0.facts.isStandby }
        guard let any = all.first else { return .missing }
        var primaries = all
        if let known = remembered {
            primaries = all.filter { $0.facts.system == known.facts.system }
            if primaries.isEmpty { return .conflict(.foreign(any.server)) }
        } else if let other = all.first(where: { $0.facts.system != any.facts.system }) {
            return .conflict(.differentDatabases(any.server, other.server))
        }
        let system = primaries[0].facts.system
        let ofSystem = seen.filter { $0.facts.system == system }
        let known = remembered?.facts.timeline ?? 0
        let newest = ofSystem.reduce(known) { max($0, $1.facts.timeline) }
        primaries = primaries.filter { primary in
            primary.facts.timeline == newest
        }
        guard let first = primaries.first else { return behind(ofSystem, newest: newest) }
        let others = primaries.filter { !$0.facts.isSameServer(as: first.facts) }
        guard let other = others.first else { return .server(first) }
        let writable = primaries.filter { !$0.facts.isReadOnly }
        guard let one = writable.first else { return .conflict(.twoPrimaries(first.server, other.server, newest)) }
        let rival = writable.first { !$0.facts.isSameServer(as: one.facts) }
        return rival.map { .conflict(.twoPrimaries(one.server, $0.server, newest)) } ?? .server(one)
    }

    /// The server for the reader: the lane's, or without one the standby that is furthest ahead.
    package func reader(allowsStandby: Bool) -> Choice {
        let primary = primary
        let conflict: ServerConflict?
        switch primary {
        case .server: return primary
        case .missing: conflict = nil
        case .conflict(let found):
            guard found.isAboutPrimariesAlone else { return primary }
            conflict = found
        }
        let instead = conflict.map { Choice.conflict($0) } ?? .missing
        guard allowsStandby else { return instead }
        var standbys = seen.filter(\.facts.isStandby)
        if let known = remembered { standbys = standbys.filter { $0.facts.system == known.facts.system } }
        guard let first = standbys.first else { return instead }
        if let other = standbys.first(where: { $0.facts.system != first.facts.system }) {
            return .conflict(.differentDatabases(first.server, other.server))
        }
        // With equal timelines, the first.
        return .server(standbys.dropFirst().reduce(first) { $1.facts.timeline > $0.facts.timeline ? $1 : $0 })
    }

    /// What to say about the primaries that were passed over for `chosen`.
    package func passedOver(for chosen: Seen) -> [ServerConflict] {
        seen.compactMap { other in
            guard !other.facts.isStandby, !other.facts.isSameServer(as: chosen.facts) else { return nil }
            guard other.facts.system == chosen.facts.system else { return .foreign(other.server) }
            guard other.facts.timeline < chosen.facts.timeline else { return nil }
            return .oldPrimary(other.server, other.facts.timeline, chosen.server, chosen.facts.timeline)
        }
    }

    /// nil if a server of another database has taken the known one's place: somebody put it there.
    private var remembered: Seen? {
        guard let known else { return nil }
        let isReplaced = seen.contains { $0.server == known.server && $0.facts.system != known.facts.system }
        return isReplaced ? nil : known
    }

    private func behind(_ ofSystem: [Seen], newest: Int64) -> Choice {
        let primaries = ofSystem.filter { !$0.facts.isStandby }
        guard let first = primaries.first else { return .missing }
        let best = primaries.dropFirst().reduce(first) { $1.facts.timeline > $0.facts.timeline ? $1 : $0 }
        let witness = ofSystem.first { $0.facts.timeline == newest }
        return .conflict(.behind(best.server, best.facts.timeline, newest, follower: witness?.server))
    }
}

/// Why an available server is not used.
package enum ServerConflict: Hashable, Sendable {
    case twoPrimaries(DatabaseServer, DatabaseServer, Int64)
    case differentDatabases(DatabaseServer, DatabaseServer)
    /// It belongs to another database than the one that the lane used.
    case foreign(DatabaseServer)
    /// The only primary, although another was promoted since; `follower`: a standby that follows that other one.
    case behind(DatabaseServer, Int64, Int64, follower: DatabaseServer?)
    /// A newer primary is available.
    case oldPrimary(DatabaseServer, Int64, DatabaseServer, Int64)

    package var reason: String {
        switch self {
        case .twoPrimaries(let one, let other, let timeline):
            "\(one.name) and \(other.name) are both primaries at timeline \(timeline)"
        case .differentDatabases(let one, let other):
            "\(one.name) and \(other.name) belong to different databases"
        case .foreign(let server): "\(server.name) belongs to another database than likesd used before"
        case .behind(let server, let timeline, let newest, nil):
            "\(server.name) is an old primary, at timeline \(timeline) while another was promoted to \(newest)"
        case .behind(let server, let timeline, let newest, let follower?):
            "\(server.name) is an old primary, at timeline \(timeline) while the standby \(follower.name) "
                + "is at \(newest)"
        case .oldPrimary(let server, let timeline, let newer, let newest):
            "\(server.name) is an old primary, at timeline \(timeline) while \(newer.name) is at \(newest)"
        }
    }

    /// What to do. `setting`: where DATABASE_URL is set.
    package func next(_ setting: String) -> String {
        switch self {
        case .twoPrimaries: "stop one of the two servers, or make it a standby of the other"
        case .differentDatabases: "remove one of the two servers from \(setting), or stop it"
        case .foreign(let server):
            "stop \(server.name), or remove it from \(setting), or restart likesd to use it anyway"
        case .behind(let server, _, _, nil):
            "start the promoted primary and stop \(server.name); or, if the promoted one is lost for good, delete "
                + "\(RedisKeys.marker) in Redis and restart likesd on all hosts"
        case .behind(let server, _, _, _?): "start the promoted primary, and stop \(server.name)"
        case .oldPrimary(let server, _, _, _): "stop \(server.name), or make it a standby"
        }
    }

    /// The conflict does not concern standbys, which can be trusted.
    fileprivate var isAboutPrimariesAlone: Bool {
        switch self {
        case .foreign, .behind, .oldPrimary: true
        case .twoPrimaries, .differentDatabases: false
        }
    }
}
