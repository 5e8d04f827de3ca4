import Glibc
import LikesHTTP

/// The clocks.
enum Clock {
    /// Milliseconds of the monotonic clock.
    static var nowMs: Int64 { microseconds(CLOCK_MONOTONIC) / 1_000 }

    static var now: Moment {
        Moment(monotonicUs: microseconds(CLOCK_MONOTONIC), wallUs: microseconds(CLOCK_REALTIME))
    }

    private static func microseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }
}
