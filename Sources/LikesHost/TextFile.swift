import CLinux
import Glibc

/// Small files, read whole.
package enum TextFile {
    /// Why a file cannot be read.
    package struct Unreadable: Error {
        /// An errno; 0: it is not a regular file.
        package var code: Int32
        /// A symbolic link that leads nowhere.
        fileprivate static let danglingLink = Unreadable(code: -1)

        package var text: String {
            switch code {
            case 0: "it is not a regular file"
            case Self.danglingLink.code: "it is a symbolic link to a missing file"
            default: strerror(code).map { String(cString: $0) } ?? "error \(code)"
            }
        }
    }

    /// Reads at most `bytesMax` bytes and one more, so that the reader sees that there are more. It reads nothing from
    /// a pipe, or from a device other than /dev/null: that could wait for ever.
    package static func read(_ path: String, bytesMax: Int) throws(Unreadable) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else {
            let code = errno
            var facts = stat()
            // Somebody put the link there, so its target is meant to be read.
            if code == ENOENT, lstat(path, &facts) == 0 { throw Unreadable.danglingLink }
            throw Unreadable(code: code)
        }
        defer { close(descriptor) }
        guard is_read_at_once(descriptor) != 0 else { throw Unreadable(code: 0) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while text.count <= bytesMax {
            let count = Glibc.read(descriptor, &buffer, min(buffer.count, bytesMax + 1 - text.count))
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw Unreadable(code: errno) }
            if count == 0 { break }
            text.append(contentsOf: buffer[..<count])
        }
        return text
    }
}
