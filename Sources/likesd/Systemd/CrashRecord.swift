import CCrash
import CLinux
import CSystemd
import Glibc
import LikesCore

/// What one process leaves to the next in systemd's descriptor store in case it ends unexpectedly: how it went, and
/// what it was reading. Without a store there is no record, and no row of crashes is noticed.
enum CrashRecord {
    static let name = "crash-record"

    /// A process that crashed, or was killed.
    struct Before {
        /// Crashes in a row, including its own.
        var crashes: Int
        var ranMs: Int64
        var kind: crash_kind

        /// It died while it was taking over the clients of the process before it.
        var wasTakingOver: Bool { kind == CRASH_HANDOVER }

        var text: String {
            """
            the previous process ended unexpectedly after \(ranMs / 1_000) s while reading \(what), \
            crash \(crashes) in a row
            """
        }

        private var what: String {
            switch kind {
            case CRASH_SETTINGS: "its settings"
            case CRASH_HANDOVER: "what its predecessor handed over"
            case CRASH_REQUEST: "a request"
            case CRASH_REDIS: "a reply from Redis"
            case CRASH_MESSAGE: "a message from Redis"
            case CRASH_POSTGRES: "an answer from PostgreSQL"
            default: "no foreign input"
            }
        }
    }

    /// Continues the record of the previous process, or begins one. Returns what became of that process; nil: it ended
    /// in order, or nothing is known about it.
    static func open() -> Before? {
        let inherited = Inherited.descriptor(named: name)
        if let inherited, crash_record_open(inherited) == 0 {
            let record = crash_record_now()
            guard record.running != 0 else { return nil }
            let ranMs = Instant.now.ms(since: Instant(microseconds: record.started))
            return Before(
                crashes: CrashRow.length(behind: Int(record.crashes), ranMs: ranMs), ranMs: ranMs,
                kind: crash_kind(record.kind))
        }
        guard getenv("NOTIFY_SOCKET") != nil else { return nil }
        // The stored descriptor of this name is useless, and would come back with each start.
        if inherited != nil { forget() }
        let made = memfd_create("likesd-crashes", MFD_CLOEXEC)
        guard made >= 0 else { return nil }
        defer { close(made) }
        if crash_record_open(made) == 0 { try? DescriptorStore.send("FDSTORE=1\nFDNAME=\(name)\nFDPOLL=0", [made]) }
        return nil
    }

    /// This process begins its work.
    static func begin(after before: Before?) {
        crash_record_begin(UInt32(before?.crashes ?? 0), Instant.now.microseconds)
    }

    /// Removes it from the store.
    static func forget() {
        // Without systemd there is no store.
        try? DescriptorStore.send("FDSTOREREMOVE=1\nFDNAME=\(name)", [])
    }
}
