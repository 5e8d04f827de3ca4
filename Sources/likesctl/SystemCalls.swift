import CLinux
import Glibc
import LikesSettings

/// The little of the operating system that likesctl needs, without Foundation: that is 50 MB in a static binary.
enum SystemCalls {
    /// Milliseconds of the monotonic clock.
    static func nowMs() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// What the system calls an error.
    static func text(of code: Int32) -> String { String(cString: strerror(code)) }

    /// Those of the variables that are set.
    static func environment(_ names: [String]) -> [String: String] {
        var found: [String: String] = [:]
        for name in names {
            if let value = getenv(name) { found[name] = String(cString: value) }
        }
        return found
    }

    /// Waits until `events` are there, an error is, or the deadline has passed: false then.
    static func wait(for events: Int16, on descriptor: Int32, deadlineMs: Int64) -> Bool {
        while true {
            let leftMs = deadlineMs - nowMs()
            guard leftMs > 0 else { return false }
            var entry = pollfd(fd: descriptor, events: events, revents: 0)
            let ready = poll(&entry, 1, Int32(min(leftMs, Int64(Int32.max))))
            if ready > 0 { return true }
            // The wait goes on after a signal; a descriptor poll can't take fails at its next use, with a reason.
            if ready < 0, errno != EINTR { return true }
        }
    }

    /// Lets time pass for others to do their work.
    static func pause(ms: Int32) { poll(nil, 0, ms) }

    /// Writes everything; false when the descriptor takes no more, with `errno` saying why.
    static func write(_ text: String, to descriptor: Int32) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while let start = rest.baseAddress, !rest.isEmpty {
                let written = Glibc.write(descriptor, start, rest.count)
                if written < 0 {
                    if errno == EINTR { continue }
                    return false
                }
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            }
            return true
        }
    }

    /// The whole of a file (no pipe, and no device but /dev/null),
    /// at most `bytesMax` + 1 bytes, so that the caller can tell that it is too long.
    static func contents(of path: String, bytesMax: Int) -> Result<[UInt8], ErrorNumber> {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else {
            let code = errno
            var facts = stat()
            // Somebody put the link there, so that what it leads to is meant to be read.
            if code == ENOENT, lstat(path, &facts) == 0 { return .failure(.danglingLink) }
            return .failure(ErrorNumber(code: code))
        }
        defer { close(descriptor) }
        guard is_read_at_once(descriptor) != 0 else { return .failure(ErrorNumber(code: 0)) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while bytes.count <= bytesMax {
            let wanted = min(chunk.count, bytesMax + 1 - bytes.count)
            let count = read(descriptor, &chunk, wanted)
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                return .failure(ErrorNumber(code: errno))
            }
            bytes += chunk[..<count]
        }
        return .success(bytes)
    }

    /// What advice has to name of this host.
    static func hostFacts() -> HostFacts {
        HostFacts(
            userName: userName(),
            credentialsFolder: environment([Setting.credentialsFolderVariable])[Setting.credentialsFolderVariable],
            isPostgresInstalled: access(HostFacts.postgresFolder, F_OK) == 0,
            isRedisInstalled: access(HostFacts.redisProgram, F_OK) == 0)
    }

    /// The name of the user this process acts for, or its number.
    static func userName() -> String {
        guard let entry = getpwuid(geteuid()) else { return String(geteuid()) }
        return String(cString: entry.pointee.pw_name)
    }
}

/// A code of errno.h; 0: what is there is no regular file.
struct ErrorNumber: Error {
    var code: Int32
    /// What is there is a symbolic link, and what it leads to is not there.
    static let danglingLink = ErrorNumber(code: -1)
    var text: String {
        switch code {
        case 0: "it is no regular file"
        case Self.danglingLink.code: "it is a symbolic link to what is not there"
        default: SystemCalls.text(of: code)
        }
    }
}
