/// Crashes in a row. A crash that is caused by something in a backend, or by a request that a client sends again, comes
/// back after each start. Then starts must be rare.
package enum CrashRow {
    /// The number of crashes in a row after a process has crashed that ran for `ranMs` and had `crashes` before it.
    package static func length(behind crashes: Int, ranMs: Int64) -> Int {
        ranMs < Limits.crashRunMsMax ? min(crashes, Limits.crashesCountedMax - 1) + 1 : 1
    }

    /// How long the next process waits before it reads anything that others send, in milliseconds.
    package static func pauseMs(after crashes: Int) -> Int64 {
        crashes < Limits.crashesInARowMax ? 0 : Limits.crashPauseMs
    }
}
