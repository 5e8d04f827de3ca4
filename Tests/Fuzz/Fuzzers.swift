import Glibc

// `make test` builds this with the corpus' test. scripts/fuzz builds it outside the package, with the sanitizer and
// libFuzzer's own main.

/// What bytes are given to.
enum Fuzzer: String, CaseIterable {
    case requests, replies, answers, messages, nodes, rows, handover, configuration, json, http

    static let chosen: Fuzzer = {
        guard let name = getenv("LIKESD_FUZZ"), let fuzzer = Fuzzer(rawValue: String(cString: name)) else {
            fatalError("LIKESD_FUZZ has to be one of \(allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return fuzzer
    }()

    func run(_ data: UnsafeRawBufferPointer) {
        switch self {
        case .requests: fuzzRequests(data)
        case .replies: fuzzReplies(data)
        case .answers: fuzzAnswers(data)
        case .messages: fuzzMessages(data)
        case .nodes: fuzzNodes(data)
        case .rows: fuzzRows(data)
        case .handover: fuzzHandover(data)
        case .configuration: fuzzConfiguration(data)
        case .json: fuzzJSON(data)
        case .http: fuzzHTTP(data)
        }
    }
}

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    Fuzzer.chosen.run(UnsafeRawBufferPointer(start: data, count: size))
    return 0
}
