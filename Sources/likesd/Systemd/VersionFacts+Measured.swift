import CHiredis
import CPostgres
import Glibc
import LikesCore
import LikesHost

extension VersionFacts {
    /// The versions of this process, of what it was built with, and of what it runs on.
    static func measured() -> VersionFacts {
        VersionFacts(
            processID: getpid(), swift: compiler, libpq: libpq,
            hiredis: "\(HIREDIS_MAJOR).\(HIREDIS_MINOR).\(HIREDIS_PATCH)", systemd: libsystemd)
    }

    /// The compiler's version, as far as it can be determined.
    private static var compiler: String {
        #if compiler(>=6.4)
            "6.4 or newer"
        #elseif compiler(>=6.3)
            "6.3"
        #elseif compiler(>=6.2)
            "6.2"
        #else
            "6.1"
        #endif
    }

    /// The version of the library in use: 150020 is 15.20.
    private static var libpq: String {
        let version = PQlibVersion()
        return "\(version / 10_000).\(version % 10_000)"
    }

    /// libsystemd does not report its version. This is the name of the loaded file, as in libsystemd.so.0.35.0.
    private static var libsystemd: String {
        let linkedIn = "linked in"
        guard let maps = try? TextFile.read("/proc/self/maps", bytesMax: EdgeLimits.mapsBytesMax) else {
            return linkedIn
        }
        let name = Array("/libsystemd.so".utf8)
        for line in maps.split(separator: UInt8(ascii: "\n")) {
            guard let slash = line.lastIndex(of: UInt8(ascii: "/")), line[slash...].starts(with: name) else { continue }
            return String(decoding: line[(slash + 1)...], as: UTF8.self)
        }
        return linkedIn
    }
}
