import Glibc

/// An address of `--listen`.
enum ListenAddress: Equatable {
    case ipv4(in_addr_t, port: UInt16)
    case ipv6([UInt8], port: UInt16)
    case path(String, mode: UInt32, group: String?)

    /// Of a Unix socket: its owner and its group may use it.
    private static let modeOtherwise: UInt32 = 0o660

    /// - Throws: what is wrong with it, and what is right.
    init(_ text: String) throws(GatewayError) {
        if text.hasPrefix("/") {
            self = try Self.path(text)
        } else if text.hasPrefix("["), let end = text.lastIndex(of: "]") {
            let port = try Self.port(text[text.index(after: end)...], of: text)
            var address = in6_addr()
            guard inet_pton(AF_INET6, String(text[text.index(after: text.startIndex)..<end]), &address) == 1 else {
                throw Self.wrong(text)
            }
            self = .ipv6(withUnsafeBytes(of: &address) { Array($0) }, port: port)
        } else {
            guard let colon = text.lastIndex(of: ":") else { throw Self.wrong(text) }
            let port = try Self.port(text[colon...], of: text)
            var address = in_addr()
            guard inet_pton(AF_INET, String(text[..<colon]), &address) == 1 else { throw Self.wrong(text) }
            self = .ipv4(address.s_addr, port: port)
        }
    }

    private static func wrong(_ text: String) -> GatewayError {
        Options.wrong(
            "--listen: '\(text)' is not an address: write 127.0.0.1:8000, [::1]:8000, or the path of a Unix socket, "
                + "also with ',mode=0660' and ',group=NAME'")
    }

    private static func port(_ text: Substring, of address: String) throws(GatewayError) -> UInt16 {
        guard text.first == ":", let port = UInt16(text.dropFirst()) else { throw wrong(address) }
        return port
    }

    private static func path(_ text: String) throws(GatewayError) -> ListenAddress {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
        var (mode, group) = (modeOtherwise, String?.none)
        for part in parts.dropFirst() {
            if part.hasPrefix("mode="), let number = UInt32(part.dropFirst(5), radix: 8), number <= 0o777 {
                mode = number
            } else if part.hasPrefix("group="), part.utf8.count > 6 {
                group = String(part.dropFirst(6))
            } else {
                throw wrong(text)
            }
        }
        return .path(parts[0], mode: mode, group: group)
    }

    /// Whether only this host reaches it.
    var isLocal: Bool {
        switch self {
        case .ipv4(let address, _): UInt32(bigEndian: address) >> 24 == 127
        case .ipv6(let bytes, _): Self.isLocal(bytes)
        case .path: true
        }
    }

    /// `::1`, and what stands for an address of IPv4 that is local.
    private static func isLocal(_ bytes: [UInt8]) -> Bool {
        let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        return bytes == [UInt8](repeating: 0, count: 15) + [1] || isMapped && bytes[12] == 127
    }

    /// The address that a listening socket has; nil: of another family.
    init?(of descriptor: Int32) {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = withUnsafeMutableBytes(of: &storage) { bytes in
            getsockname(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), &size)
        }
        guard status == 0 else { return nil }
        let made: ListenAddress? = withUnsafeBytes(of: &storage) { bytes in
            switch Int32(bytes.loadUnaligned(as: sa_family_t.self)) {
            case AF_INET:
                let address = bytes.loadUnaligned(as: sockaddr_in.self)
                return .ipv4(address.sin_addr.s_addr, port: UInt16(bigEndian: address.sin_port))
            case AF_INET6:
                var address = bytes.loadUnaligned(as: sockaddr_in6.self)
                return .ipv6(
                    withUnsafeBytes(of: &address.sin6_addr) { Array($0) }, port: UInt16(bigEndian: address.sin6_port))
            case AF_UNIX:
                let path = bytes.dropFirst(MemoryLayout<sa_family_t>.size).prefix { $0 != 0 }
                return .path(String(decoding: path, as: UTF8.self), mode: 0, group: nil)
            default: return nil
            }
        }
        guard let made else { return nil }
        self = made
    }

    /// As `--listen` takes it, for the log.
    var text: String {
        switch self {
        case .ipv4(let address, let port):
            let number = UInt32(bigEndian: address)
            let parts = [24, 16, 8, 0].map { String(number >> UInt32($0) & 0xFF) }
            return "\(parts.joined(separator: ".")):\(port)"
        case .ipv6(let bytes, let port):
            var bytes = bytes
            var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
            let isMade = inet_ntop(AF_INET6, &bytes, &text, socklen_t(text.count)) != nil
            let name =
                isMade ? String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : "?"
            return "[\(name)]:\(port)"
        case .path(let path, _, _): return path
        }
    }
}
