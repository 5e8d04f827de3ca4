import CMicrohttpd
import LikesHTTP

/// What the headers of a request say that this program looks at. The library takes requests whose end two readers may
/// see in two places; a proxy in front may be the other one. Such requests are refused.
struct HeaderFacts {
    private(set) var contentType: String?
    private(set) var accept: String?
    private(set) var bodyBytes: UInt64 = 0
    private(set) var expectsContinue = false
    private var hosts = 0
    private var lengths = 0
    private var encodings: [String] = []
    private var hasWrongName = false

    init(of connection: OpaquePointer) {
        withUnsafeMutablePointer(to: &self) { facts in
            _ = MHD_get_connection_values(
                connection, .HEADER_KIND,
                { context, _, name, value in
                    guard let context, let name else { return .YES }
                    context.assumingMemoryBound(to: HeaderFacts.self).pointee.add(name, value)
                    return .YES
                }, facts)
        }
    }

    private mutating func add(_ name: UnsafePointer<CChar>, _ value: UnsafePointer<CChar>?) {
        func text() -> String { value.map { String(cString: $0) } ?? "" }
        if Self.isWrong(name) { hasWrongName = true }
        if Self.isEqual(name, "host") {
            hosts += 1
        } else if Self.isEqual(name, "content-length") {
            lengths += 1
            bodyBytes = UInt64(text()) ?? 0
        } else if Self.isEqual(name, "transfer-encoding") {
            encodings.append(text())
        } else if Self.isEqual(name, "content-type") {
            contentType = text()
        } else if Self.isEqual(name, "accept") {
            accept = accept.map { $0 + "," + text() } ?? text()
        } else if Self.isEqual(name, "expect") {
            expectsContinue = text().lowercased() == "100-continue"
        }
    }

    /// `Content-Length : 5` is another header to the library, and may be the length to a proxy. So may be one with any
    /// other byte that stands for nothing, or that no name has.
    private static func isWrong(_ name: UnsafePointer<CChar>) -> Bool {
        var place = 0
        while name[place] != 0 {
            let byte = UInt8(bitPattern: name[place])
            if byte <= 0x20 || byte >= 0x7F { return true }
            place += 1
        }
        return false
    }

    /// Whether a header has this name, which is in lower case.
    private static func isEqual(_ name: UnsafePointer<CChar>, _ wanted: StaticString) -> Bool {
        for place in 0..<wanted.utf8CodeUnitCount {
            let byte = UInt8(bitPattern: name[place])
            let lower = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
            guard lower == wanted.utf8Start[place] else { return false }
        }
        return name[wanted.utf8CodeUnitCount] == 0
    }

    /// What is wrong with the headers; nil: nothing. Then the connection is of no use any more.
    func refusal(version: String) -> Refusal? {
        let isOld = version == "HTTP/1.0"
        if hasWrongName { return .badRequest("The name of a header has a blank, or a byte that no name has") }
        if hosts > 1 || hosts == 0 && !isOld { return .badRequest("The request must have one Host") }
        if lengths > 1 { return .badRequest("The request has more than one Content-Length") }
        if lengths > 0 && !encodings.isEmpty {
            return .badRequest("The request has Content-Length and Transfer-Encoding")
        }
        if encodings.count > 1 || encodings.contains(where: { $0.lowercased() != "chunked" })
            || isOld && !encodings.isEmpty
        {
            return .badRequest("The only Transfer-Encoding is chunked, in HTTP/1.1")
        }
        return nil
    }
}
