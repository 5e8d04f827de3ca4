import LikesCore
import LikesProtocol
import LikesStorage

@testable import likesd

private let limits = ReplyLimits(
    lineBytesMax: 64, bulkBytesMax: 256, elementsMax: 64, depthMax: 2, replyBytesMax: 1_024)

private func read(_ stream: UnsafeRawBufferPointer, piece: Int) -> (replies: [ReceivedReply], fault: ReplyFault?) {
    var reader = ReplyReader(limits: limits)
    var replies: [ReceivedReply] = []
    var start = 0
    while start < stream.count {
        let end = min(stream.count, start + piece)
        reader.append(stream[start..<end])
        start = end
        do {
            while let reply = try reader.next() { replies.append(reply.value) }
        } catch {
            return (replies, error)
        }
    }
    return (replies, nil)
}

/// What a server sends: cut the same way however it comes. The first byte chooses the size of the pieces.
func fuzzReplies(_ data: UnsafeRawBufferPointer) {
    guard let first = data.first, data.count > 1 else { return }
    let stream = UnsafeRawBufferPointer(rebasing: data[1...])
    let whole = read(stream, piece: stream.count)
    let pieces = read(stream, piece: Int(first) + 1)
    precondition(pieces.replies == whole.replies, "splitting the stream changes what it means")
    precondition((pieces.fault == nil) == (whole.fault == nil), "splitting the stream changes whether it is broken")
}

private let items = [Item(type: 0, id: 1), Item(type: 1, id: .max)]
private let generation = Generation(server: "a:b", database: DatabaseIdentity(system: "1", timeline: 1), token: "abc")
private let jobs: [RedisJob] = {
    let pair = Pair(user: 1, item: items[0])
    let counters = items.map {
        SealedCounter(counter: CounterState(item: $0, count: 1, version: 1), seal: Seal(seconds: 1, digest: 1))
    }
    let kept = items.map { KeptCounter(item: $0, counter: nil, word: Array("1:x".utf8)) }
    return [
        .identify(server: "a:b", IdentifyRequest(new: nil)),
        .admit([AdmissionEntry(pair: pair, kind: .like), AdmissionEntry(pair: pair, kind: .unlike)]),
        .readCounters(generation, items), .setCounters(generation, counters, paceMs: 20),
        .drop(generation, kept), .keepRecent([RecentLike(pair: pair, add: true)]),
        .tell(generation, counters, paceMs: 20),
    ]
}()

/// What Redis answers, taken for the answer to each of the calls.
func fuzzAnswers(_ data: UnsafeRawBufferPointer) {
    var reader = ReplyReader(limits: EdgeLimits.redisReply)
    reader.append(data)
    guard let reply = try? reader.next() else { return }
    for job in jobs {
        for slice in job.slices(deadlineMs: 0) {
            var replies = RedisReplies(slicesLeft: 1)
            replies.take(reply, of: slice)
            precondition(replies.counters.count <= items.count, "more counters than were asked for")
            precondition(replies.outcomes.count <= items.count, "more outcomes than were asked for")
            _ = replies.marker?.generation
        }
    }
    if let text = reply.text {
        var facts = RedisServerFacts()
        facts.take(text)
        precondition((facts.name?.utf8.count ?? 0) <= 129, "a long name of a server")
    }
    if let seconds = reply.element(0)?.wholeNumber, let rest = reply.element(1)?.wholeNumber,
        let time = RedisClock.time(seconds: seconds, microseconds: rest)
    {
        var clock = RedisClock()
        clock.learn(time, askedAt: .ms(1), heardAt: .ms(2))
        _ = clock.deadlineMs(.ms(3), plus: 100)
    }
    precondition((reply.errorText?.utf8.count ?? 0) <= ForeignText.bytesMax, "a long error")
}

/// What anybody publishes on the hosts' channel.
func fuzzMessages(_ data: UnsafeRawBufferPointer) {
    guard let message = CounterMessage(Array(data)[...], types: .standard) else { return }
    precondition(message.counters.count <= EdgeLimits.countersPerMessage, "more counters than a message may have")
    for sealed in message.counters {
        precondition(
            Array(sealed.seal.text.utf8).withUnsafeBytes { Seal($0) } == sealed.seal,
            "a seal that reads otherwise than it was written")
    }
}

/// What a cluster's nodes say of slots: views with a zero byte between them, taken in one after the other, each as a
/// node's refusal as well.
func fuzzNodes(_ data: UnsafeRawBufferPointer) {
    var map = SlotMap()
    for part in data.split(separator: 0) {
        let text = String(decoding: part, as: UTF8.self)
        if let redirect = SlotRedirect(error: text, askedHost: "asked") {
            precondition((1...65_535).contains(redirect.port), "a redirect to no port")
        }
        guard let view = try? ClusterView(text, askedHost: "asked") else { continue }
        let change = map.take(view)
        precondition(change.regainers.isSubset(of: change.winners), "a node that got a slot back won none")
        let owners = (0..<RedisSlot.count).compactMap { map.owner(of: $0) }
        precondition(owners.allSatisfy { map.nodes.indices.contains($0) }, "a slot of a node that nobody named")
        precondition(
            map.nodes.indices.map { map.slotsCount(of: $0) }.reduce(0, +) == owners.count, "slots counted wrong")
        precondition(map.take(view).isEmpty, "the same view twice moves slots")
    }
}
