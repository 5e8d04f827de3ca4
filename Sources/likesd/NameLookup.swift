import CSystemd
import Glibc

/// Finds the addresses of hosts in a thread of its own, since getaddrinfo(3) waits for the network.
///
/// A lookup cannot be called off. So there is one at a time, always of the same names, and whoever asks while it runs
/// gets its answer: no more threads than there are connections.
final class NameLookup {
    /// Numeric addresses of each name, those of IPv4 first; the reason where there are none.
    typealias Answer = [String: Result<[String], LookupFailure>]

    /// What the thread and the loop share. The thread writes `answer` and ends the pipe; the loop reads it after.
    private final class Shared {
        let names: [String]
        let readEnd: Int32
        private let writeEnd: Int32
        var answer: Answer = [:]

        init?(names: [String]) {
            self.names = names
            var ends: [Int32] = [-1, -1]
            guard pipe(&ends) == 0 else { return nil }
            (readEnd, writeEnd) = (ends[0], ends[1])
        }

        deinit { close(readEnd) }

        func run() {
            for name in names { answer[name] = NameLookup.addresses(of: name) }
            end()
        }

        func end() { close(writeEnd) }
    }

    private let loop: EventLoop
    private let names: [String]
    private var running: (shared: Shared, source: IOSource)?
    private var handler: ((Answer) -> Void)?

    init(_ names: [String], loop: EventLoop) {
        self.names = names
        self.loop = loop
    }

    /// Whether libpq or hiredis would have to look it up: neither an address nor a socket's path.
    static func isName(_ host: String) -> Bool {
        var address = in6_addr()
        return !host.isEmpty && !host.hasPrefix("/") && !host.hasPrefix("@")
            && inet_pton(AF_INET, host, &address) != 1 && inet_pton(AF_INET6, host, &address) != 1
    }

    /// Calls `handler` once, later; at once when there is nothing to look up.
    func start(_ handler: @escaping (Answer) -> Void) throws(DaemonError) {
        guard !names.isEmpty else { return handler([:]) }
        self.handler = handler
        guard running == nil else { return }
        guard let shared = Shared(names: names) else { throw DaemonError(doing: "looking a name up", code: errno) }
        let source: IOSource
        do {
            source = try loop.watch(shared.readEnd, for: EPOLLIN.rawValue) { [unowned self] _ in self.finish() }
        } catch {
            shared.end()
            throw error
        }
        var thread = pthread_t()
        let context = Unmanaged.passRetained(shared)
        let status = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let shared = Unmanaged<Shared>.fromOpaque(context)
                shared.takeUnretainedValue().run()
                shared.release()
                return nil
            }, context.toOpaque())
        guard status == 0 else {
            context.release()
            source.cancel()
            shared.end()
            throw DaemonError(doing: "looking a name up", code: status)
        }
        pthread_detach(thread)
        running = (shared, source)
    }

    /// Nobody waits any more; the lookup goes on for whoever asks next.
    func forget() { handler = nil }

    private func finish() {
        guard let done = running else { return }
        done.source.cancel()
        running = nil
        let told = handler
        handler = nil
        told?(done.shared.answer)
    }

    private static func addresses(of name: String) -> Result<[String], LookupFailure> {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(name, nil, &hints, &list)
        guard status == 0 else {
            return .failure(LookupFailure(text: "\(name): \(String(cString: gai_strerror(status)))"))
        }
        defer { freeaddrinfo(list) }
        var found: [(isIPv6: Bool, text: String)] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let written = getnameinfo(
                entry.ai_addr, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
            guard written == 0, found.count < EdgeLimits.addressesPerNameMax else { continue }
            let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            found.append((entry.ai_family == AF_INET6, String(decoding: bytes, as: UTF8.self)))
        }
        // As hiredis itself would choose.
        return .success(found.filter { !$0.isIPv6 }.map(\.text) + found.filter(\.isIPv6).map(\.text))
    }
}

/// Why a name has no addresses.
struct LookupFailure: Error {
    var text: String
}
