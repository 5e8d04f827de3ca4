import CLinux
import CSystemd
import Glibc
import LikesCore
import LikesProtocol

/// After a row of crashes: a while in which no foreign input is read. Clients that connect are told at once instead of
/// being left to wait.
enum RestartPause {
    /// Waits if it has to. False: asked to stop meanwhile.
    static func wait(after before: CrashRecord.Before, _ logger: Logger) -> Bool {
        let pauseMs = CrashRow.pauseMs(after: before.crashes)
        guard pauseMs > 0 else { return true }
        // One crash is no row.
        let text = "likesd crashed \(before.crashes) times in a row"
        let until = "serves again in \(pauseMs / 1_000) s, or at once after 'systemctl restart'"
        logger.log(.error, "\(text): it \(until)")
        let startMs = pauseMs + EdgeLimits.startMsMax
        sd_notify(0, "EXTEND_TIMEOUT_USEC=\(startMs * 1_000)\nSTATUS=\(text): \(until)")
        let signals = signals()
        defer { if signals >= 0 { close(signals) } }
        let listening = Inherited.listeningSockets()
        let end = Instant.now.adding(ms: pauseMs)
        while true {
            let leftMs = end.ms(since: .now)
            guard leftMs > 0 else { return true }
            var waited = (listening + [signals]).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            guard poll(&waited, nfds_t(waited.count), Int32(leftMs)) > 0 else { continue }
            if waited.removeLast().revents != 0 { return false }
            let refusal = ErrorReply(.busy, "\(text): try again in \(leftMs / 1_000 + 1) s")
            for ready in waited where ready.revents != 0 { refuse(on: ready.fd, refusal) }
        }
    }

    /// Tells a client why it is not served.
    private static func refuse(on listening: Int32, _ refusal: ErrorReply) {
        let client = accept(listening, nil, nil)
        guard client >= 0 else { return }
        var encoder = ReplyEncoder()
        var bytes: [UInt8] = []
        encoder.append(.error(refusal), to: &bytes)
        // The socket is new and empty: this fits, unless the client is gone.
        _ = send(client, bytes, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        close(client)
    }

    /// The signals that end the pause; they are blocked.
    private static func signals() -> Int32 {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, SIGINT)
        return signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
    }
}
