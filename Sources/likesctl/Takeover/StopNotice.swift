import Glibc

/// A take-over that is told to end (SIGINT, SIGTERM, or SIGHUP when its terminal goes) says what that means, and ends
/// at once, as the signal would have it. Nothing has to be done first: the server notices, and the next run goes on.
enum StopNotice {
    static func watch() {
        isOnTerminal = isatty(STDERR_FILENO) == 1
        for number in StopSignal.signals {
            var action = sigaction()
            sigaction(number, nil, &action)
            guard !StopSignal.isIgnored(action) else { continue }
            action = sigaction()
            action.__sigaction_handler.sa_handler = { number in
                // A handler may do no more than this.
                let text: StaticString = "\nlikesctl: stopped: what was done so far stays; run it again\n"
                // On a terminal the cursor is behind something.
                let skipped = isOnTerminal ? 0 : 1
                _ = write(STDERR_FILENO, text.utf8Start + skipped, text.utf8CodeUnitCount - skipped)
                // It comes once the handler returns, and nothing catches it any more.
                raise(number)
            }
            action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND))
            sigaction(number, &action, nil)
        }
    }
}

private nonisolated(unsafe) var isOnTerminal = false
