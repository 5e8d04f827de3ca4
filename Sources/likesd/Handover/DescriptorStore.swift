import CLinux
import CSystemd
import Glibc

/// systemd's store of descriptors (FileDescriptorStoreMax=). Clients' sockets stay there between the end of one process
/// and the start of the next. When the service is stopped for good, systemd closes them.
///
/// Invariant: whatever is in the store is untouched by this process, or was never in its hands. So a process that dies
/// at any moment leaves clients that are whole, or closed.
enum DescriptorStore {
    static let name = "kept-clients"

    /// Puts all clients into the store at once: first what is known of them, then their sockets. Those that do not fit
    /// are closed when this process ends. Returns how many were stored; throws why none was.
    static func put(_ clients: [(descriptor: Int32, client: KeptClient)]) throws(DaemonError) -> Int {
        let kept = withinLimits(clients)
        guard !kept.isEmpty else { return 0 }
        let state = try memory(KeptClientsFormat.encoded(kept.map(\.client)))
        defer { close(state) }
        let parcel = try Parcel.packed([state] + kept.map(\.descriptor))
        defer { close(parcel) }
        // Nobody is at its other end any more. Without FDPOLL=0, systemd would throw it away for that.
        try send("FDSTORE=1\nFDNAME=\(name)\nFDPOLL=0", [parcel])
        try awaitSystemd()
        return kept.count
    }

    /// Removes the inherited clients from the store. From then on they belong to this process alone, and are closed
    /// with it; before that, they are not touched. A socket without a description is closed.
    static func take(_ inherited: Inherited) throws(DaemonError) -> [(descriptor: Int32, client: KeptClient)] {
        guard let parcel = inherited.kept else { return [] }
        defer { close(parcel) }
        try send("FDSTOREREMOVE=1\nFDNAME=\(name)", [])
        try awaitSystemd()
        // From here on they are in this process' hands: after a crash the record says so, and the next process reads
        // none of it.
        Reading.begins(.handover)
        defer { Reading.ended() }
        let unpacked = try Parcel.unpacked(parcel)
        var orphans = Set(unpacked)
        defer { for descriptor in orphans { close(descriptor) } }
        guard let state = unpacked.first, let known = decoded(try contents(of: state)) else {
            throw DaemonError("the previous process kept them in another format")
        }
        var descriptors: [UInt64: Int32] = [:]
        for descriptor in unpacked.dropFirst() {
            if let inode = FileIdentity(descriptor: descriptor)?.inode { descriptors[UInt64(inode)] = descriptor }
        }
        var taken: [(descriptor: Int32, client: KeptClient)] = []
        for client in known {
            // Missing: this process may have a lower limit of descriptors than the previous one.
            guard let descriptor = descriptors[client.inode], orphans.remove(descriptor) != nil else { continue }
            taken.append((descriptor, client))
        }
        return taken
    }

    /// Removes them from the store and closes them, unread.
    static func drop(_ inherited: Inherited) throws(DaemonError) {
        guard let parcel = inherited.kept else { return }
        close(parcel)
        try send("FDSTOREREMOVE=1\nFDNAME=\(name)", [])
        try awaitSystemd()
    }

    private static func decoded(_ bytes: [UInt8]) -> [KeptClient]? {
        bytes.withUnsafeBytes { shown in
            Reading.isAt(shown)
            defer { Reading.isAt(nil) }
            return KeptClientsFormat.decoded(bytes)
        }
    }

    /// The clients that can be kept. One that does not fit does not affect the others.
    static func withinLimits(
        _ clients: [(descriptor: Int32, client: KeptClient)]
    ) -> [(descriptor: Int32, client: KeptClient)] {
        var bytes = 0
        let fitting = clients.filter { _, client in
            let own = client.input.count + client.output.count
            guard own <= EdgeLimits.keptBytesPerClientMax, bytes + own <= EdgeLimits.keptBytesMax else { return false }
            bytes += own
            return true
        }
        return Array(fitting.prefix(EdgeLimits.keptClientsMax))
    }

    static func send(_ text: String, _ descriptors: [Int32]) throws(DaemonError) {
        let status = sd_pid_notify_with_fds(0, 0, text, descriptors, UInt32(descriptors.count))
        guard status > 0 else {
            throw DaemonError(doing: "passing descriptors to systemd", code: status < 0 ? -status : ENOTCONN)
        }
    }

    /// Returns once systemd has handled everything sent before.
    private static func awaitSystemd() throws(DaemonError) {
        let status = sd_notify_barrier(0, EdgeLimits.systemdMicrosecondsMax)
        guard status > 0 else {
            throw DaemonError(doing: "waiting for systemd", code: status < 0 ? -status : ENOTCONN)
        }
    }

    /// A file that exists only in memory.
    private static func memory(_ bytes: [UInt8]) throws(DaemonError) -> Int32 {
        let descriptor = memfd_create("likesd-clients", MFD_CLOEXEC)
        guard descriptor >= 0 else { throw DaemonError(doing: "creating a file in memory", code: errno) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else {
                let code = errno
                close(descriptor)
                throw DaemonError(doing: "writing a file in memory", code: code)
            }
            rest = rest.dropFirst(written)
        }
        return descriptor
    }

    private static func contents(of descriptor: Int32) throws(DaemonError) -> [UInt8] {
        var facts = stat()
        guard fstat(descriptor, &facts) == 0 else { throw DaemonError(doing: "checking a kept file", code: errno) }
        guard facts.st_size <= EdgeLimits.keptFileBytesMax else { throw DaemonError("the kept file is too large") }
        var bytes = [UInt8](repeating: 0, count: Int(facts.st_size))
        var count = 0
        while count < bytes.count {
            let more = bytes.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress.map { $0 + count }, buffer.count - count, off_t(count))
            }
            if more < 0 && errno == EINTR { continue }
            guard more > 0 else { throw DaemonError(doing: "reading a kept file", code: more < 0 ? errno : EIO) }
            count += more
        }
        return bytes
    }
}
