import Glibc

/// The few system calls that likesctl needs, without Foundation, which is 50 MB in a static binary.
enum SystemCalls {
    /// Milliseconds of the monotonic clock.
    static func nowMs() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// The system's text for an error.
    static func text(of code: Int32) -> String { String(cString: strerror(code)) }

    /// Waits for `events` or an error; false: the deadline has passed.
    static func wait(for events: Int16, on descriptor: Int32, deadlineMs: Int64) -> Bool {
        while true {
            let leftMs = deadlineMs - nowMs()
            guard leftMs > 0 else { return false }
            var entry = pollfd(fd: descriptor, events: events, revents: 0)
            let ready = poll(&entry, 1, Int32(min(leftMs, Int64(Int32.max))))
            if ready > 0 { return true }
            // After a signal the wait continues. A descriptor that poll rejects fails at its next use, with a reason.
            if ready < 0, errno != EINTR { return true }
        }
    }

    /// Gives others time for their work.
    static func pause(ms: Int32) { poll(nil, 0, ms) }

    /// The path from the root, as far as the current folder is known.
    static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let folder = getcwd(nil, 0) else { return path }
        defer { free(folder) }
        return "\(String(cString: folder))/\(path)"
    }

    /// Writes everything; false if the descriptor accepts no more, with the reason in `errno`.
    static func write(_ text: String, to descriptor: Int32) -> Bool {
        var text = text
        return text.withUTF8 { write(UnsafeRawBufferPointer($0), to: descriptor) }
    }

    /// The same for bytes.
    static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        var rest = bytes
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
