import LikesCore
import LikesProtocol

/// COUNT and MCOUNT of what is cached: from the client's bytes to the reply in one pass, without a list of items, an
/// action or an allocation.
enum CachedCounts {
    /// Answers the requests at the start of `bytes`, up to the first that is another request, is not wholly cached, or
    /// has no room for its reply. Returns the bytes they took, and adds their cost. Only for a connection that
    /// `answersAtOnce`.
    static func answer(
        _ bytes: UnsafeRawBufferPointer, types: ItemTypes, from core: inout Core, now: Instant,
        into replies: inout CountReplies, cost: inout Int
    ) -> Int {
        var scanner = CountScanner(bytes, types: types)
        var counts: Int64 = 0
        var mcounts: Int64 = 0
        var items: Int64 = 0
        requests: while let kind = scanner.next() {
            switch kind {
            case .count:
                guard replies.hasRoom(for: 1), let item = scanner.nextItem(),
                    let count = core.cachedCount(item, now: now)
                else { break requests }
                replies.append(count)
                counts += 1
            case .mcount(let number):
                guard replies.hasRoom(for: number) else { break requests }
                let start = replies.count
                replies.append(arrayOf: number)
                for _ in 0..<number {
                    guard let item = scanner.nextItem(), let count = core.cachedCount(item, now: now) else {
                        replies.cut(to: start)
                        break requests
                    }
                    replies.append(count)
                }
                mcounts += 1
                items += Int64(number)
            }
            scanner.take()
        }
        core.answeredAtOnce(counts: counts, mcounts: mcounts, items: items)
        cost += Int(counts + mcounts) * Cost.cachedRequest + Int(counts + items)
        return scanner.taken
    }
}
