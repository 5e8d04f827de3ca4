import CLinux
import CSystemd
import Glibc
import LikesStorage

/// Finds the addresses of hosts in threads of their own, since getaddrinfo(3) waits for the network.
///
/// A lookup cannot be cancelled. So each name is looked up once at a time, and a caller that asks meanwhile gets that
/// lookup's answer. No caller waits longer than `EdgeLimits.lookupMsMax`: for a name that takes longer it gets the last
/// answer, or none, and the answers of the other names.
final class NameLookup {
    typealias Answer = DatabaseHosts.Addresses
    /// Addresses of a name, from wherever they are known. Waits.
    typealias Resolver = @Sendable (String) -> Result<[String], LookupFailure>

    /// What a thread and the loop share. The thread stores the result and then writes a byte into the pipe. The loop
    /// reads that byte, and then the result: the byte puts one before the other.
    private final class Shared {
        let name: String
        let readEnd: Int32
        private let writeEnd: Int32
        private let resolver: Resolver
        private var result: Result<[String], LookupFailure>?

        init(_ name: String, _ resolver: @escaping Resolver) throws(DaemonError) {
            self.name = name
            self.resolver = resolver
            var ends: [Int32] = [-1, -1]
            guard pipe(&ends) == 0 else { throw DaemonError(doing: "looking a name up", code: errno) }
            (readEnd, writeEnd) = (ends[0], ends[1])
        }

        deinit {
            close(readEnd)
            close(writeEnd)
        }

        /// In the thread.
        func run() {
            result = resolver(name)
            var byte: UInt8 = 0
            let written = write(writeEnd, &byte, 1)
            precondition(written == 1, "an empty pipe does not take a byte: errno \(errno)")
        }

        /// In the loop, once the pipe has something to read.
        func found() -> Result<[String], LookupFailure>? {
            var byte: UInt8 = 0
            let count = read(readEnd, &byte, 1)
            precondition(count == 1, "the thread's byte is not in the pipe: errno \(errno)")
            return result
        }
    }

    private let loop: EventLoop
    /// Names to look up. What was found of others is forgotten.
    var names: [String] {
        didSet { last = last.filter { names.contains($0.key) } }
    }
    private let resolver: Resolver
    private var running: [String: (shared: Shared, source: IOSource)] = [:]
    /// Names that the last caller wants looked up, and whose lookup has not begun.
    private var waiting: [String] = []
    /// What was found the last time.
    private var last: Answer = [:]
    private var handler: ((Answer) -> Void)?
    private var timer: OneTimer?

    init(_ names: [String], loop: EventLoop, resolver: @escaping Resolver = { NameLookup.addresses(of: $0) }) {
        self.names = names
        self.loop = loop
        self.resolver = resolver
    }

    /// Whether libpq or hiredis would have to look it up: neither an address nor a socket's path.
    static func isName(_ host: String) -> Bool {
        var address = in6_addr()
        return !host.isEmpty && !host.hasPrefix("/") && !host.hasPrefix("@")
            && inet_pton(AF_INET, host, &address) != 1 && inet_pton(AF_INET6, host, &address) != 1
    }

    /// Calls `handler` once: later, or at once if there is nothing to look up.
    func start(_ handler: @escaping (Answer) -> Void) throws(DaemonError) {
        guard !names.isEmpty else { return handler([:]) }
        timer = try loop.timer(afterMs: EdgeLimits.lookupMsMax) { [unowned self] in self.tell() }
        self.handler = handler
        waiting = names.filter { running[$0] == nil }
        try beginWaiting()
    }

    /// Nobody waits any more. Lookups that were begun go on, for the next caller.
    func forget() {
        handler = nil
        waiting = []
        timer?.cancel()
        timer = nil
    }

    private func beginWaiting() throws(DaemonError) {
        while running.count < EdgeLimits.lookupsMax, let name = waiting.popLast() { try begin(name) }
    }

    private func begin(_ name: String) throws(DaemonError) {
        let shared = try Shared(name, resolver)
        let source = try loop.watch(shared.readEnd, for: EPOLLIN.rawValue) { [unowned self] _ in self.finish(name) }
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
            throw DaemonError(doing: "looking a name up", code: status)
        }
        pthread_detach(thread)
        running[name] = (shared, source)
    }

    private func finish(_ name: String) {
        guard let done = running.removeValue(forKey: name) else { return }
        done.source.cancel()
        // Nobody asks for it any more, but its end makes room.
        if names.contains(name) { last[name] = done.shared.found() }
        do {
            try beginWaiting()
        } catch {
            for name in waiting { last[name] = .failure(LookupFailure(text: "\(name): \(error.message)")) }
            waiting = []
        }
        if running.isEmpty && waiting.isEmpty { tell() }
    }

    /// Tells what is known by now.
    private func tell() {
        let told = handler
        forget()
        var answer = last
        for name in names where answer[name] == nil {
            answer[name] = .failure(LookupFailure(text: "\(name): no name server has answered yet"))
        }
        told?(answer)
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
