import CLinux
import CSystemd
import Glibc
import LikesCore
import LikesSettings

/// Accepts clients, on the socket made for them or on those that systemd hands over.
final class Listener {
    private let driver: CoreDriver
    private let clients: ClientTable
    private let loop: EventLoop
    private var file: SocketFile?
    private var listening: [(descriptor: Int32, source: IOSource)] = []
    /// A descriptor kept in reserve. With it a client is accepted and turned away when no other is left.
    private var reserve: Int32
    /// Nothing is accepted before this; nil: all is well.
    private(set) var pausedUntil: Instant?
    /// Clients accepted since the start, including those turned away.
    private(set) var acceptedTotal: UInt64 = 0

    /// `inherited`: systemd's sockets; none: makes one at `LIKESD_SOCKET`.
    init(
        configuration: Configuration, inherited: [Int32], driver: CoreDriver, clients: ClientTable, loop: EventLoop
    ) throws(DaemonError) {
        self.driver = driver
        self.clients = clients
        self.loop = loop
        reserve = Listener.openReserve()
        if inherited.isEmpty {
            let file = try SocketFile(path: configuration.socketPath, mode: configuration.socketMode)
            self.file = file
            try listen(on: file.descriptor)
        } else {
            for descriptor in inherited { try listen(on: descriptor) }
        }
    }

    /// Takes no more clients, and removes a socket file made here.
    func close() {
        for (descriptor, source) in listening {
            source.cancel()
            // Under socket activation systemd keeps the socket open and queues the clients that come meanwhile.
            if file == nil { Glibc.close(descriptor) }
        }
        listening = []
        pausedUntil = nil
        file?.remove()
        file = nil
    }

    /// Goes on accepting once the pause is over.
    func expire(now: Instant) {
        guard let until = pausedUntil, until <= now else { return }
        pausedUntil = nil
        for (_, source) in listening { source.setEvents(EPOLLIN.rawValue) }
    }

    /// Whether a client waits to be accepted, and can be.
    var isWaitedFor: Bool {
        pausedUntil == nil && listening.contains { Descriptors.isReadable($0.descriptor) }
    }

    // MARK: Sockets

    private func listen(on descriptor: Int32) throws(DaemonError) {
        let flags = fcntl(descriptor, F_GETFL)
        guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0 else {
            throw DaemonError(doing: "setting up the listening socket", code: errno)
        }
        let source = try loop.watch(descriptor, for: EPOLLIN.rawValue) { [unowned self] _ in accept(on: descriptor) }
        listening.append((descriptor, source))
    }

    // MARK: Accepting

    private func accept(on listening: Int32) {
        for _ in 0..<EdgeLimits.acceptsPerWakeUp where clients.mayTakeMore {
            let accepted = Glibc.accept(listening, nil, nil)
            if accepted >= 0 {
                acceptedTotal += 1
                clients.add(accepted)
                continue
            }
            switch errno {
            case EAGAIN: return
            case EINTR, ECONNABORTED: continue
            case EMFILE, ENFILE:
                switch turnAway(on: listening) {
                case 0: continue
                case EAGAIN: return
                case let code: return pause(DaemonError.text(code))
                }
            default: return pause(DaemonError.text(errno))
            }
        }
    }

    /// Out of descriptors: accepts the waiting client with the one in reserve and tells it so. Then the client need not
    /// wait, and the loop need not spin. Returns 0, or an errno if this failed too.
    private func turnAway(on listening: Int32) -> Int32 {
        guard reserve >= 0 else {
            reserve = Listener.openReserve()
            return EMFILE
        }
        Glibc.close(reserve)
        let accepted = Glibc.accept(listening, nil, nil)
        let code = accepted >= 0 ? 0 : errno
        if accepted >= 0 {
            note("no descriptors left for clients: raise LimitNOFILE or lower MAX_CONNECTIONS")
            acceptedTotal += 1
            clients.refuse(accepted)
        }
        reserve = Listener.openReserve()
        return code
    }

    private func pause(_ reason: String) {
        note("accepting clients failed: \(reason): trying again every \(EdgeLimits.acceptRetryMs) ms")
        for (_, source) in listening { source.setEvents(0) }
        pausedUntil = driver.now.adding(ms: EdgeLimits.acceptRetryMs)
    }

    private func note(_ text: String) {
        driver.deliver { core, turn in core.acceptingFailed(text, &turn) }
    }

    private static func openReserve() -> Int32 { open("/dev/null", O_RDONLY | O_CLOEXEC) }
}
