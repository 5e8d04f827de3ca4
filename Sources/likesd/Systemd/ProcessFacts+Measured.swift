import Glibc
import LikesCore
import LikesHost

extension ProcessFacts {
    /// What the operating system says about this process now.
    static func measured() -> ProcessFacts {
        var usage = rusage()
        getrusage(RUSAGE_SELF.rawValue, &usage)
        return ProcessFacts(
            residentBytes: residentBytes(),
            userCPUMicroseconds: microseconds(usage.ru_utime),
            systemCPUMicroseconds: microseconds(usage.ru_stime))
    }

    private static func microseconds(_ time: timeval) -> Int64 {
        Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_usec)
    }

    /// The second number of /proc/self/statm counts resident pages; 0 if there is no /proc.
    private static func residentBytes() -> Int64 {
        guard let text = try? TextFile.read("/proc/self/statm", bytesMax: 256) else { return 0 }
        let numbers = text.split(separator: UInt8(ascii: " "))
        guard numbers.count > 1, let pages = Int64(String(decoding: numbers[1], as: UTF8.self)) else { return 0 }
        return pages * Int64(getpagesize())
    }
}
