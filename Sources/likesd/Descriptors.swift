import Glibc
import LikesCore

/// The process' limit of open descriptors.
enum Descriptors {
    /// Raises the limit as far as the clients need it and the system allows; nil: enough, else what to do.
    static func raise(forClients clientsMax: Int) -> String? {
        let needed = rlim_t(clientsMax + EdgeLimits.descriptorsReserved)
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return "the limit of descriptors: \(DaemonError.text(errno))" }
        guard limit.rlim_cur < needed else { return nil }
        limit.rlim_cur = min(needed, limit.rlim_max)
        guard setrlimit(resource, &limit) == 0, limit.rlim_cur >= needed else {
            return "\(limit.rlim_cur) descriptors allowed, \(needed) needed: raise LimitNOFILE or lower MAX_CONNECTIONS"
        }
        return nil
    }
}
