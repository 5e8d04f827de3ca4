import Glibc

/// Descriptors of any kind, and how many there may be.
enum Descriptors {
    /// Whether reading, or accepting, would not wait.
    static func isReadable(_ descriptor: Int32) -> Bool {
        var question = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&question, 1, 0) > 0
    }

    /// Raises the limit as far as the clients need it and the system allows; nil: enough, otherwise what to do.
    static func raise(forClients clientsMax: Int) -> String? {
        let needed = rlim_t(clientsMax + EdgeLimits.descriptorsReserved)
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return "the descriptor limit: \(DaemonError.text(errno))" }
        guard limit.rlim_cur < needed else { return nil }
        limit.rlim_cur = min(needed, limit.rlim_max)
        guard setrlimit(resource, &limit) == 0, limit.rlim_cur >= needed else {
            return "\(limit.rlim_cur) descriptors allowed, \(needed) needed: raise LimitNOFILE or lower MAX_CONNECTIONS"
        }
        return nil
    }
}
