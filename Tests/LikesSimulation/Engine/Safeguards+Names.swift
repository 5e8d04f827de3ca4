import LikesCore

extension Safeguards {
    /// Every mechanism by its name.
    package static let paths: [(name: String, path: WritableKeyPath<Safeguards, Bool> & Sendable)] = [
        ("versionCheck", \.versionCheck), ("callDeadline", \.callDeadline), ("generationCheck", \.generationCheck),
        ("fence", \.fence), ("journal", \.journal), ("repairTable", \.repairTable), ("repairs", \.repairs),
        ("fetchJoining", \.fetchJoining), ("fetchOvertaking", \.fetchOvertaking), ("rowOrder", \.rowOrder),
        ("ownOrder", \.ownOrder), ("scriptOrder", \.scriptOrder), ("standbyWait", \.standbyWait),
        ("hintConfirmation", \.hintConfirmation), ("cacheExpiry", \.cacheExpiry), ("counterMemory", \.counterMemory),
        ("contradictions", \.contradictions), ("seals", \.seals), ("standbyProof", \.standbyProof),
        ("standbyMemory", \.standbyMemory), ("tellings", \.tellings), ("regainedSlots", \.regainedSlots),
        ("admissionOrder", \.admissionOrder),
        ("redirects", \.redirects),
    ]

    package static var names: [String] { paths.map(\.name) }

    package static func named(_ name: String) -> (WritableKeyPath<Safeguards, Bool> & Sendable)? {
        paths.first { $0.name == name }?.path
    }
}
