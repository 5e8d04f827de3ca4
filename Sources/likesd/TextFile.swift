import Glibc

/// Small files, read whole.
enum TextFile {
    /// At most `bytesMax` bytes and one more, so that the reader can tell that there are more.
    static func read(_ path: String, bytesMax: Int) throws(DaemonError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw DaemonError(doing: "opening \(path)", code: errno) }
        defer { close(descriptor) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while text.count <= bytesMax {
            let count = Glibc.read(descriptor, &buffer, min(buffer.count, bytesMax + 1 - text.count))
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw DaemonError(doing: "reading \(path)", code: errno) }
            if count == 0 { break }
            text.append(contentsOf: buffer[..<count])
        }
        return text
    }
}
