import Glibc
import LikesCore
import LikesHost

extension ProcessFacts {
    /// What the operating system says about this process now.
    static func measured() -> ProcessFacts {
        var usage = rusage()
        getrusage(RUSAGE_SELF.rawValue, &usage)
        let pages = memoryPages()
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return ProcessFacts(
            residentBytes: pages.resident * Int64(getpagesize()),
            userCPUMicroseconds: microseconds(usage.ru_utime),
            systemCPUMicroseconds: microseconds(usage.ru_stime),
            virtualBytes: pages.all * Int64(getpagesize()),
            descriptors: descriptors(), descriptorsMax: Int64(clamping: limit.rlim_cur),
            startedAtSeconds: startedAtSeconds)
    }

    /// Asked for the first time soon after the start.
    private static let startedAtSeconds: Int64 = {
        var now = timespec()
        var uptime = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        clock_gettime(CLOCK_BOOTTIME, &uptime)
        guard let ticks = startedAfterTicks(), sysconf(Int32(_SC_CLK_TCK)) > 0 else { return 0 }
        return Int64(now.tv_sec) - Int64(uptime.tv_sec) + ticks / Int64(sysconf(Int32(_SC_CLK_TCK)))
    }()

    /// When the process was started, in clock ticks since the boot: field 22 of /proc/self/stat (proc(5)). The second
    /// field, the program's name, may hold blanks and ends with the last bracket.
    private static func startedAfterTicks() -> Int64? {
        guard let text = try? TextFile.read("/proc/self/stat", bytesMax: 4_096),
            let bracket = text.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = text[(bracket + 1)...].split(separator: UInt8(ascii: " "))
        return fields.count > 19 ? Int64(String(decoding: fields[19], as: UTF8.self)) : nil
    }

    private static func microseconds(_ time: timeval) -> Int64 {
        Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_usec)
    }

    /// The first numbers of /proc/self/statm: all pages, and resident ones; 0 if there is no /proc.
    private static func memoryPages() -> (all: Int64, resident: Int64) {
        guard let text = try? TextFile.read("/proc/self/statm", bytesMax: 256) else { return (0, 0) }
        let numbers = text.split(separator: UInt8(ascii: " ")).map { Int64(String(decoding: $0, as: UTF8.self)) ?? 0 }
        return numbers.count > 1 ? (numbers[0], numbers[1]) : (0, 0)
    }

    /// Without the one that is open to count them; 0 if there is no /proc.
    private static func descriptors() -> Int64 {
        guard let folder = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(folder) }
        var names: Int64 = 0
        while readdir(folder) != nil { names += 1 }
        // `.`, `..`, and the folder itself.
        return max(0, names - 3)
    }
}
