import LikesProtocol
import LikesStorage
import LikesSettings

/// What the core was told at the start, and by the last reload.
struct CoreSettings {
    var configuration: Configuration
    /// What the configuration file says otherwise, in the order of the settings, since the last reload.
    var restartNeeded: [Setting] = []
    /// What the unit may take in all; nil: it has no limit.
    let unitMemoryBytes: Int64?
    let limits: Limits
    let safeguards: Safeguards

    /// What all clients together may hold: as told, or what the unit allows.
    var clientMemoryBytesMax: Int {
        guard configuration.clientMemoryBytesMax == 0 else { return Int(configuration.clientMemoryBytesMax) }
        return unitMemoryBytes.map { Int($0) / Limits.clientMemoryShare } ?? Limits.clientMemoryBytes
    }
}
