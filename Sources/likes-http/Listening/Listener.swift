import CLinux
import Glibc
import LikesProtocol

/// Accepts clients on all addresses.
final class Listener {
    private let sockets: [ListeningSocket]
    private var sources: [Source] = []
    private let clients: ClientTable
    private var failures = RepeatedLine()
    /// Nothing is accepted before this; nil: all is well.
    private var pausedUntilMs: Int64?

    init(_ sockets: [ListeningSocket], clients: ClientTable, loop: Loop) throws(GatewayError) {
        self.sockets = sockets
        self.clients = clients
        for socket in sockets {
            sources.append(
                try loop.watch(socket.descriptor, for: EPOLLIN.rawValue) { [unowned self] _ in
                    accept(on: socket.descriptor)
                })
        }
    }

    private func accept(on listening: Int32) {
        for _ in 0..<GatewayLimits.acceptsPerWakeUp {
            var name = sockaddr_storage()
            var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let accepted = withUnsafeMutableBytes(of: &name) { bytes in
                let address = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self)
                let accepted = accept_nonblocking(listening, address, &size)
                if accepted >= 0, let address { clients.add(accepted, address, size) }
                return accepted
            }
            guard accepted < 0 else { continue }
            switch errno {
            case EAGAIN: return
            case EINTR, ECONNABORTED: continue
            default: return pause(GatewayError.text(errno))
            }
        }
    }

    private func pause(_ reason: String) {
        let nowMs = Clock.nowMs
        failures.write(.warning, "accepting clients failed: \(reason)", nowMs: nowMs)
        for source in sources { source.setEvents(0) }
        pausedUntilMs = nowMs + GatewayLimits.acceptRetryMs
    }

    func sweep(nowMs: Int64) {
        guard let until = pausedUntilMs, until <= nowMs else { return }
        pausedUntilMs = nil
        for source in sources { source.setEvents(EPOLLIN.rawValue) }
    }

    /// Takes no more clients. Sockets of systemd's stay open with it, and queue those that come.
    func end() {
        for source in sources { source.cancel() }
        for socket in sockets { socket.end() }
        sources = []
        pausedUntilMs = nil
    }
}
