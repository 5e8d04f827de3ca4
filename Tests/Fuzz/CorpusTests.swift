import Foundation
import Testing

/// The fuzzers' inputs without libFuzzer: a change that a fuzzer does not compile with, or an input that it stumbles
/// over, shows in `make test`.
@Suite struct CorpusTests {
    @Test(arguments: Fuzzer.allCases)
    func noInputOfTheCorpusBreaksItsReader(_ fuzzer: Fuzzer) throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Corpus/\(fuzzer.rawValue)")
        let inputs = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        try #require(!inputs.isEmpty)
        for input in inputs {
            try Data(contentsOf: input).withUnsafeBytes(fuzzer.run)
        }
    }
}
