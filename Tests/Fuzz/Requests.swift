import LikesProtocol

/// What one feed of the stream came to: each step's end, and the requests.
private struct Feed: Equatable {
    var requests: [Request] = []
    var ends: [Int] = []
    var broken: ErrorReply?
}

/// Feeds the stream in pieces of `piece` bytes. Each call gets a copy, so that the address sanitizer sees a read
/// behind its end.
private func feed(_ stream: UnsafeRawBufferPointer, piece: Int) -> Feed {
    var parser = RequestParser(types: .standard)
    var feed = Feed()
    var start = 0
    var end = 0
    while end < stream.count {
        end = min(stream.count, end + piece)
        piece: while start < end {
            let given = [UInt8](stream[start..<end])
            switch given.withUnsafeBytes({ parser.next(in: $0) }) {
            case .incomplete:
                precondition(given.count <= WireLimits.requestBytesMax, "holds more than a buffer of the limit takes")
                break piece
            case .request(let request, let bytes):
                precondition(bytes > 0 && bytes <= given.count, "took nothing, or more than was given")
                feed.requests.append(request)
                start += bytes
            case .nothing(let bytes):
                precondition(bytes > 0 && bytes <= given.count, "took nothing, or more than was given")
                start += bytes
            case .broken(let error):
                feed.broken = error
                return feed
            }
            feed.ends.append(start)
        }
    }
    return feed
}

/// What clients send: cut the same way however it comes. The first byte chooses the size of the pieces.
func fuzzRequests(_ data: UnsafeRawBufferPointer) {
    guard let first = data.first, data.count > 1 else { return }
    let stream = UnsafeRawBufferPointer(rebasing: data[1...])
    let whole = feed(stream, piece: stream.count)
    precondition(feed(stream, piece: Int(first) + 1) == whole, "splitting the stream changes what it means")
}
