import Glibc
import LikesHost
import LikesSettings

/// The memory that the unit, or the container, may take.
enum UnitMemory {
    private static let root = "/sys/fs/cgroup"

    /// The least of MemoryHigh= and MemoryMax= of the process' cgroup and those above it. nil: none is set, or the
    /// system has no cgroups of version 2.
    static func measured() -> Int64? {
        guard let text = read("/proc/self/cgroup"), let path = CgroupMemory.path(in: text) else { return nil }
        var limits: [Int64] = []
        for folder in CgroupMemory.folders(of: path) {
            for file in ["memory.high", "memory.max"] {
                if let text = read(root + folder + "/" + file), let limit = CgroupMemory.limit(in: text) {
                    limits.append(limit)
                }
            }
        }
        return limits.min()
    }

    private static func read(_ path: String) -> String? {
        (try? TextFile.read(path, bytesMax: EdgeLimits.cgroupFileBytesMax)).map { String(decoding: $0, as: UTF8.self) }
    }
}
