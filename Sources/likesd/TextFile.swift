import CLinux
import Glibc

/// Small files, read whole.
enum TextFile {
    /// Why one can't be read.
    struct Unreadable: Error {
        /// An errno; 0: what is there is no file.
        var code: Int32
        /// What is there is a symbolic link, and what it leads to is not there.
        static let danglingLink = Unreadable(code: -1)
        var text: String {
            switch code {
            case 0: "it is no regular file"
            case Self.danglingLink.code: "it is a symbolic link to what is not there"
            default: DaemonError.text(code)
            }
        }
    }

    /// At most `bytesMax` bytes and one more, so that the reader can tell that there are more. Of a pipe, or a device
    /// other than /dev/null, nothing is read: who waits for it would not come back.
    static func read(_ path: String, bytesMax: Int) throws(Unreadable) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else {
            let code = errno
            // Somebody put the link there, so that what it leads to is meant to be read.
            if code == ENOENT, FileIdentity(path: path) != nil { throw Unreadable.danglingLink }
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
