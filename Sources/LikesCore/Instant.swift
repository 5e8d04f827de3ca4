/// A moment on the monotonic clock, in microseconds. The core is told the time and never asks for it.
package struct Instant: Comparable, Hashable, Sendable {
    package var microseconds: Int64
    package init(microseconds: Int64) { self.microseconds = microseconds }
    package static func ms(_ milliseconds: Int64) -> Instant { Instant(microseconds: milliseconds * 1_000) }
    package static func < (a: Instant, b: Instant) -> Bool { a.microseconds < b.microseconds }
    package func adding(ms: Int64) -> Instant { Instant(microseconds: microseconds + ms * 1_000) }
    /// Whole milliseconds since `earlier`.
    package func ms(since earlier: Instant) -> Int64 { (microseconds - earlier.microseconds) / 1_000 }
}
