import CCrash

/// Notes which foreign bytes are being read, for the line that a crash writes. It costs a few stores.
///
/// Invariant: the noted bytes lie in memory that stays until the next note, or until `ended`.
enum Reading {
    /// What is being read; a crash puts it into words (`crash.c`).
    enum Kind {
        case handover
        case request
        case redis
        case message
        case postgres
    }

    /// `descriptor`: a client's socket, whose peer is reported.
    @inline(__always)
    static func begins(_ kind: Kind, _ bytes: UnsafeRawBufferPointer? = nil, from descriptor: Int32 = -1) {
        crash_reading_begin(number(kind), descriptor, bytes?.baseAddress, bytes?.count ?? 0)
    }

    /// The same, further on.
    @inline(__always)
    static func isAt(_ bytes: UnsafeRawBufferPointer?) { crash_reading_at(bytes?.baseAddress, bytes?.count ?? 0) }

    /// No foreign input is being read any more.
    @inline(__always)
    static func ended() { crash_reading_end() }

    /// For settings, the file and the line are reported, but never a byte: they may be passwords.
    static func settings(_ file: String) { crash_reading_settings(file) }

    /// The line of that file.
    static func line(_ number: Int) { crash_reading_line(number) }

    private static func number(_ kind: Kind) -> crash_kind {
        switch kind {
        case .handover: CRASH_HANDOVER
        case .request: CRASH_REQUEST
        case .redis: CRASH_REDIS
        case .message: CRASH_MESSAGE
        case .postgres: CRASH_POSTGRES
        }
    }
}
