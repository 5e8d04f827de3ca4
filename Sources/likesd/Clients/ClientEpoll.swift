import CSystemd
import Glibc
import LikesCore

/// The clients' epoll. It is one source of the event loop, however many clients there are.
struct ClientEpoll: ~Copyable {
    private let descriptor: Int32
    private var source: IOSource?
    private var events = [epoll_event](repeating: epoll_event(), count: EdgeLimits.clientEventsPerWakeUp)

    init() throws(DaemonError) {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { throw DaemonError(doing: "making an epoll for clients", code: errno) }
    }

    deinit {
        source?.cancel()
        Glibc.close(descriptor)
    }

    /// Calls `handler` from now on whenever a client is ready.
    mutating func join(_ loop: EventLoop, _ handler: @escaping () -> Void) throws(DaemonError) {
        source = try loop.watch(descriptor, for: EPOLLIN.rawValue) { _ in handler() }
    }

    /// Waits for what the client wants from now on. False: it can't be watched.
    func add(_ client: ClientConnection) -> Bool { control(EPOLL_CTL_ADD, client) }

    /// The same for a client that was added before.
    func update(_ client: ClientConnection) -> Bool { control(EPOLL_CTL_MOD, client) }

    private func control(_ operation: Int32, _ client: ClientConnection) -> Bool {
        client.watched = client.wanted
        let tag = UInt64(client.id.incarnation) << 32 | UInt64(client.id.slot)
        var event = epoll_event(events: client.watched, data: epoll_data_t(u64: tag))
        return epoll_ctl(descriptor, operation, client.descriptor, &event) == 0
    }

    /// Polls without waiting. Returns how many clients are ready; `ready` returns each of them.
    mutating func poll() -> Int { max(0, Int(epoll_wait(descriptor, &events, Int32(events.count), 0))) }

    func ready(_ place: Int) -> (id: ConnectionID, events: UInt32) {
        let event = events[place]
        let id = ConnectionID(
            slot: UInt32(truncatingIfNeeded: event.data.u64),
            incarnation: UInt32(truncatingIfNeeded: event.data.u64 >> 32))
        return (id, event.events)
    }

    /// Whether a client has something to serve that was not served yet.
    var isReadable: Bool { Descriptors.isReadable(descriptor) }
}
