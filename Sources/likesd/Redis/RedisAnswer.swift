import CHiredis
import LikesCore
import LikesProtocol

/// A call under way: what came in of it, and how many slices are still out.
struct RedisAnswer {
    var slicesLeft: Int
    var verdicts: [AdmissionVerdict] = []
    var counters: [CounterState?] = []
    /// The first error of one of its slices.
    var failure: String?

    init(slicesLeft: Int) { self.slicesLeft = slicesLeft }

    /// Takes in the reply to one slice.
    mutating func take(_ reply: RedisReply, of slice: RedisSlice) {
        switch slice.job {
        case .admit(_, let entries):
            if verdicts.isEmpty {
                verdicts = Array(repeating: .admitted(recent: false), count: entries.count)
            }
            guard reply.elementCount == slice.range.count else { return misfit() }
            for (offset, place) in slice.range.enumerated() {
                guard let verdict = reply.element(offset)?.integer else { return misfit() }
                verdicts[place] = verdict < 0 ? .limited(retrySeconds: -verdict) : .admitted(recent: verdict == 1)
            }
        case .readCounters(_, let items):
            if counters.isEmpty { counters = Array(repeating: nil, count: items.count) }
            guard reply.elementCount == 2 * slice.range.count else { return misfit() }
            for (offset, place) in slice.range.enumerated() {
                guard let count = reply.element(2 * offset)?.wholeNumber,
                    let version = reply.element(2 * offset + 1)?.wholeNumber
                else { continue }
                counters[place] = CounterState(item: items[place], count: count, version: version)
            }
        case .setCounters, .keepRecent: return
        }
    }

    private mutating func misfit() { failure = failure ?? "an answer that does not fit the question" }
}

/// A reply as hiredis hands it over; valid only while its callback runs.
struct RedisReply {
    private let reply: UnsafePointer<redisReply>

    init(_ reply: UnsafePointer<redisReply>) { self.reply = reply }

    /// The message of an error.
    var error: String? { reply.pointee.type == REDIS_REPLY_ERROR ? String(decoding: text, as: UTF8.self) : nil }

    var integer: Int64? { reply.pointee.type == REDIS_REPLY_INTEGER ? reply.pointee.integer : nil }

    var string: [UInt8]? { reply.pointee.type == REDIS_REPLY_STRING ? Array(text) : nil }

    /// The value of a string that is a whole number from 0 to 2^63−1.
    var wholeNumber: Int64? {
        guard reply.pointee.type == REDIS_REPLY_STRING else { return nil }
        let text = text
        guard !text.isEmpty else { return nil }
        var value: Int64 = 0
        for byte in text {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            let (tens, isTooMuch) = value.multipliedReportingOverflow(by: 10)
            let (sum, isOver) = tens.addingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
            guard !isTooMuch, !isOver else { return nil }
            value = sum
        }
        return value
    }

    var elementCount: Int { reply.pointee.type == REDIS_REPLY_ARRAY ? Int(reply.pointee.elements) : 0 }

    func element(_ place: Int) -> RedisReply? {
        guard place < elementCount, let element = reply.pointee.element[place] else { return nil }
        return RedisReply(element)
    }

    private var text: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: reply.pointee.str, count: reply.pointee.str == nil ? 0 : Int(reply.pointee.len))
    }
}
