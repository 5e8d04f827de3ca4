import Glibc
import LikesctlCommands

/// How many descriptors this process may have.
enum DescriptorLimit {
    /// Makes sure that this many connections can be opened, beside what every process has open.
    static func raise(for connections: Int) throws(Failure) {
        let wanted = UInt(connections) + BenchLimits.descriptorsReserved
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        guard limit.rlim_cur < wanted else { return }
        limit.rlim_cur = min(wanted, limit.rlim_max)
        guard limit.rlim_cur >= wanted, setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            throw Failure(
                .usage,
                "\(connections) connections take \(wanted) descriptors, and this process may have "
                    + "\(limit.rlim_max)",
                next: "ask for fewer, or raise the limit (ulimit -n)")
        }
    }
}
