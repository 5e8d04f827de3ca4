import LikesSettings

/// What does not change while the daemon runs.
package struct VersionFacts: Equatable, Sendable {
    /// likesd's own version.
    package static let likesd = Release.version
    package var processID: Int32
    package var swift: String
    package var libpq: String
    package var hiredis: String
    package var systemd: String
    package init(processID: Int32, swift: String, libpq: String, hiredis: String, systemd: String) {
        self.processID = processID
        self.swift = swift
        self.libpq = libpq
        self.hiredis = hiredis
        self.systemd = systemd
    }
}

/// What only the operating system knows of the process.
package struct ProcessFacts: Equatable, Sendable {
    /// Memory in RAM.
    package var residentBytes: Int64
    package var userCPUMicroseconds: Int64
    package var systemCPUMicroseconds: Int64
    package var virtualBytes: Int64
    /// Open descriptors, and how many there may be.
    package var descriptors: Int64
    package var descriptorsMax: Int64
    /// When the process was started, in seconds since 1970; 0: nobody knows.
    package var startedAtSeconds: Int64
    package init(
        residentBytes: Int64 = 0, userCPUMicroseconds: Int64 = 0, systemCPUMicroseconds: Int64 = 0,
        virtualBytes: Int64 = 0, descriptors: Int64 = 0, descriptorsMax: Int64 = 0, startedAtSeconds: Int64 = 0
    ) {
        self.residentBytes = residentBytes
        self.userCPUMicroseconds = userCPUMicroseconds
        self.systemCPUMicroseconds = systemCPUMicroseconds
        self.virtualBytes = virtualBytes
        self.descriptors = descriptors
        self.descriptorsMax = descriptorsMax
        self.startedAtSeconds = startedAtSeconds
    }
}
