/// Crashes one after the other. What ends the process comes with each start again, where it lies in a backend or where
/// a client sends it again: then the starts are to be few.
package enum CrashRow {
    /// Crashes in a row, with that of a process that began behind `crashes` of them and ran for `ranMs`.
    package static func length(behind crashes: Int, ranMs: Int64) -> Int {
        ranMs < Limits.crashRunMsMax ? min(crashes, Limits.crashesCountedMax - 1) + 1 : 1
    }

    /// How long the next process waits before it reads anything of others.
    package static func pauseMs(after crashes: Int) -> Int64 {
        crashes < Limits.crashesInARowMax ? 0 : Limits.crashPauseMs
    }
}
