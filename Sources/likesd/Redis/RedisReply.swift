import CHiredis

/// A reply as hiredis hands it over; valid only while its callback runs.
struct RedisReply {
    private let reply: UnsafePointer<redisReply>

    init(_ reply: UnsafePointer<redisReply>) { self.reply = reply }

    /// The message of an error.
    var error: String? { reply.pointee.type == REDIS_REPLY_ERROR ? String(decoding: bytes, as: UTF8.self) : nil }

    var integer: Int64? { reply.pointee.type == REDIS_REPLY_INTEGER ? reply.pointee.integer : nil }

    /// The bytes of a string.
    var string: UnsafeRawBufferPointer? { reply.pointee.type == REDIS_REPLY_STRING ? bytes : nil }

    var text: String? { string.map { String(decoding: $0, as: UTF8.self) } }

    /// The value of a string that is a whole number from 0 to 2^63−1.
    var wholeNumber: Int64? { string.flatMap { Self.wholeNumber($0) } }

    /// The value of a string that is a count.
    var count: Int64? { string.flatMap { Self.count($0) } }

    var elementCount: Int { reply.pointee.type == REDIS_REPLY_ARRAY ? Int(reply.pointee.elements) : 0 }

    func element(_ place: Int) -> RedisReply? {
        guard place < elementCount, let element = reply.pointee.element[place] else { return nil }
        return RedisReply(element)
    }

    private var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: reply.pointee.str, count: reply.pointee.str == nil ? 0 : Int(reply.pointee.len))
    }

    /// Digits alone, of a number from 0 to 2^63−1.
    static func wholeNumber(_ digits: UnsafeRawBufferPointer) -> Int64? {
        guard !digits.isEmpty else { return nil }
        var value: Int64 = 0
        for byte in digits {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            let (tens, isTooMuch) = value.multipliedReportingOverflow(by: 10)
            let (sum, isOver) = tens.addingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
            guard !isTooMuch, !isOver else { return nil }
            value = sum
        }
        return value
    }

    /// A whole number, or one behind a minus sign: a counter that was too low goes below 0 with the next unlike, and
    /// hosts tell each other so until it is mended.
    static func count(_ text: UnsafeRawBufferPointer) -> Int64? {
        guard text.first == UInt8(ascii: "-") else { return wholeNumber(text) }
        return wholeNumber(UnsafeRawBufferPointer(rebasing: text.dropFirst())).map { -$0 }
    }

    // MARK: Errors

    /// Redis adds where in a script an error came up. The same trouble is to read the same wherever it came up.
    static func withoutPlace(_ error: String) -> String {
        let mark = Array(" script: ".utf8)
        let text = Array(error.utf8)
        guard let place = text.indices.first(where: { text[$0...].starts(with: mark) }) else { return error }
        return String(decoding: text[..<place], as: UTF8.self)
    }

    /// An error that speaks of the server, not of what was asked: it is loading its data, follows another, lost the one
    /// it follows, or lost its scripts. (What was asked is not asked again on the same connection: what came behind it
    /// may have been done already.)
    static func isOfServer(_ error: String) -> Bool {
        ["LOADING", "READONLY", "MASTERDOWN", "NOSCRIPT"].contains { error.hasPrefix($0) }
    }

    /// Redis has no room for what it was to take.
    static func isOutOfMemory(_ error: String) -> Bool { error.hasPrefix("OOM") }
}
