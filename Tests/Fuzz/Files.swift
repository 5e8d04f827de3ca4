import LikesProtocol
import LikesSettings

@testable import likesd

/// The file that the next process reads clients from.
func fuzzHandover(_ data: UnsafeRawBufferPointer) {
    guard let clients = KeptClientsFormat.decoded(Array(data)) else { return }
    let encoded = KeptClientsFormat.encoded(clients)
    precondition(KeptClientsFormat.decoded(encoded) == clients, "what was read is written otherwise")
}

/// A configuration file, and what is shown of it.
func fuzzConfiguration(_ data: UnsafeRawBufferPointer) {
    do {
        let configuration = try Configuration.load(file: ("likesd.conf", Array(data)), environment: [:])
        let shown = configuration.effectiveText
        precondition(!shown.isEmpty, "nothing is shown")
        _ = DatabaseURL.libpqProblem(with: configuration.databaseURL)
        _ = DatabaseURL.redacted(configuration.databaseURL, about: configuration.databaseURL)
    } catch {
        precondition(!error.text.isEmpty, "refused without a reason")
    }
}
