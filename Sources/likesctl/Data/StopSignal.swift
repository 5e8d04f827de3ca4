import Glibc

/// Lets a command end between two steps when it is told to (SIGINT, SIGTERM, or SIGHUP when its terminal goes), with
/// its record written. Whoever says it twice ends it at once.
struct StopSignal {
    static let signals = [SIGHUP, SIGINT, SIGTERM]

    /// Watches from now on.
    init() {
        for number in Self.signals {
            var action = sigaction()
            sigaction(number, nil, &action)
            // So nohup means it, and a shell that started the command in the background.
            guard !Self.isIgnored(action) else { continue }
            action = sigaction()
            action.__sigaction_handler.sa_handler = { stopSignalReceived = $0 }
            action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND))
            sigaction(number, &action, nil)
        }
    }

    static func isIgnored(_ action: sigaction) -> Bool {
        unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    var isReceived: Bool { received != nil }

    var received: Int32? { stopSignalReceived == 0 ? nil : stopSignalReceived }

    /// Ends the process as the signal would have, so that a shell stops its script.
    static func end(by number: Int32) {
        signal(number, SIG_DFL)
        raise(number)
    }
}

/// Written by the handler, which may do no more than that, and read between steps.
private nonisolated(unsafe) var stopSignalReceived: Int32 = 0
