import LikesProtocol
import LikesSettings
import LikesStorage

// RELOAD: settings change as a whole or not at all.
extension Core {
    /// How the log lines and the reply of a refused RELOAD begin.
    private static let reloadRefusal = "reload refused, nothing changed: "
    /// The reply to a client that may not reload. sudo keeps no LIKESD_SOCKET, so another socket than the default is
    /// named.
    private var administratorsOnly: String {
        let path = configuration.socketPath
        let option = path == Configuration().socketPath ? "" : " --socket \(path.shellWord)"
        return "RELOAD is for root and the user likesd runs as; next: sudo likesctl reload\(option)"
    }

    mutating func reload(on connection: ConnectionID, _ turn: inout Turn) {
        guard clients.sessions[connection].mayReload else {
            reply(.error(ErrorReply(.noPermission, administratorsOnly)), to: .other, on: connection, &turn)
            return
        }
        turn.append(.reload(clients.waitForReload(on: connection, now: turn.now)))
    }

    /// A signal asked for a reload. Once likesd is stopping, systemd must not hear of reloading and of being ready
    /// again.
    package func reloadAsked(_ turn: inout Turn) {
        if !clients.shutdown.isAsked { turn.append(.reload(nil)) }
    }

    /// The settings were read again. Those that a running daemon can change are applied together. The others are named,
    /// and keep their values until a restart.
    package mutating func reloaded(
        _ read: Result<Configuration, ConfigurationError>, for ticket: Ticket?, _ turn: inout Turn
    ) {
        let reply: Reply
        switch read {
        case .success(let wanted): reply = apply(wanted, &turn)
        case .failure(let error): reply = refuse(error, &turn)
        }
        if let ticket { answer(ticket, reply, &turn) }
    }

    private mutating func apply(
        _ wanted: Configuration, _ turn: inout Turn
    ) -> Reply {
        var next = configuration
        var applied: [Setting] = []
        settings.restartNeeded = []
        for setting in Setting.allCases {
            if setting.isReloadable {
                if setting.take(from: wanted, into: &next) { applied.append(setting) }
            } else {
                var ignored = configuration
                if setting.take(from: wanted, into: &ignored) { settings.restartNeeded.append(setting) }
            }
        }
        let names = (applied.map(\.rawValue), settings.restartNeeded.map(\.rawValue))
        if !applied.isEmpty {
            settings.configuration = next
            boundCache()
            clients.sessions.memory.limitBytes = settings.clientMemoryLimitBytes
            writes.localRate.set(requestsMax: next.rateLimitRequests, windowSeconds: next.rateLimitWindowSeconds)
            turn.append(.configure(next))
        }
        let changed = applied.isEmpty ? "nothing changed" : "applied \(names.0.joined(separator: ", "))"
        say(.reload, .notice, "settings reloaded: \(changed)", &turn)
        if !settings.restartNeeded.isEmpty {
            let text = "restart required for: \(names.1.joined(separator: ", "))"
            say(.reload, .warning, text, &turn)
        }
        return .map([
            .text("applied"), .array(names.0.map { .text($0) }), .text("restart"), .array(names.1.map { .text($0) }),
        ])
    }

    private mutating func refuse(
        _ error: ConfigurationError, _ turn: inout Turn
    ) -> Reply {
        var lines = error.problems.prefix(Limits.reloadProblemsMax).map(\.text)
        let more = error.problems.count - lines.count
        if more > 0 { lines.append("and \(more) more") }
        for line in lines { say(.reload, .error, Self.reloadRefusal + line, &turn) }
        return .error(ErrorReply(.configuration, Self.reloadRefusal + lines.joined(separator: "; ")))
    }
}
