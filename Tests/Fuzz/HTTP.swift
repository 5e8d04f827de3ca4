import LikesHTTP
import LikesJSON
import LikesProtocol

/// A JSON text. What was read and written is read again as the same.
func fuzzJSON(_ data: UnsafeRawBufferPointer) {
    let bytes = Array(data)
    // Others are refused before the reader sees them.
    guard String(validating: bytes, as: UTF8.self) != nil else { return }
    do throws(JSONReader.Fault) {
        let written = try JSONReader.read(bytes).bytes
        guard let again = try? JSONReader.read(written) else { preconditionFailure("what is written is no JSON") }
        precondition(again.bytes == written, "what was written is read otherwise")
    } catch {
        precondition((0...bytes.count).contains(error.offset), "a fault outside the text")
    }
}

/// A request over HTTP: a method, a line with its target, and the body behind it. What likesd would be asked is made of
/// words that it takes.
func fuzzHTTP(_ data: UnsafeRawBufferPointer) {
    let methods = ["GET", "POST", "DELETE", "HEAD"]
    let rest = data.dropFirst()
    let target = rest.prefix { $0 != UInt8(ascii: "\n") }
    let request = HTTPRequest(
        methods[Int(data.first ?? 0) % methods.count], String(decoding: target, as: UTF8.self),
        body: Array(rest.dropFirst(target.count + 1)))
    var gateway = Gateway(version: "1")
    gateway.types = ["post", "reel", "comment"]
    guard case .ask(let question) = gateway.step(for: request) else { return }
    var exchange = Exchange(question, problem: false, metrics: "", now: Moment(monotonicUs: 0, wallUs: 0))
    while let call = exchange.next() {
        var parser = RequestParser(types: .standard)
        let line = Array((call.words.joined(separator: " ") + "\n").utf8)
        guard case .request(let asked, line.count) = line.withUnsafeBytes({ parser.next(in: $0) }) else {
            preconditionFailure("it asks likesd for more than one thing, or for less")
        }
        if case .invalid(let error) = asked { preconditionFailure("likesd refuses it: \(error.message)") }
    }
}
