import Glibc

/// The limit on open descriptors.
enum Descriptors {
    /// Raises it as far as it is needed and allowed, and says so if that is not enough.
    static func raise() {
        let needed = rlim_t(
            GatewayLimits.connectionsMax + GatewayLimits.lingeringMax + GatewayLimits.descriptorsReserved)
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < needed else { return }
        limit.rlim_cur = min(needed, limit.rlim_max)
        if setrlimit(resource, &limit) != 0 || limit.rlim_cur < needed {
            Log.write(.warning, "\(limit.rlim_cur) descriptors allowed, \(needed) needed: raise LimitNOFILE")
        }
    }
}
