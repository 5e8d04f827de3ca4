/// The sections of INFO, in the daemon's order.
package enum InfoSection: String, CaseIterable, Sendable {
    case server, clients, memory, persistence, replication, stats, cache, backends, coherence, cpu
    case commandstats, errorstats, latencystats

    /// Names by which Redis clients ask for all sections.
    package static let namesOfAll: Set<String> = ["all", "default", "everything"]

    /// As in the line `# Title` above the section's fields.
    package var title: String {
        switch self {
        case .cpu: "CPU"
        case .server, .clients, .memory, .persistence, .replication, .stats, .cache, .backends, .coherence,
            .commandstats, .errorstats, .latencystats:
            rawValue.prefix(1).uppercased() + rawValue.dropFirst()
        }
    }
}
