import Glibc

/// The few system calls that a client needs, without Foundation.
enum SystemCalls {
    /// Milliseconds of the monotonic clock.
    static func nowMs() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// The system's text for an error.
    static func text(of code: Int32) -> String { strerror(code).map { String(cString: $0) } ?? "error \(code)" }

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
}
