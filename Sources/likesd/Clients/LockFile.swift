import Glibc

/// A file whose lock shows that its holder lives: the kernel releases it when the process ends, however it ends.
final class LockFile {
    private let path: String
    private let descriptor: Int32

    /// `guarding` names what is locked, for the message.
    init(path: String, guarding: String) throws(DaemonError) {
        self.path = path
        for _ in 0..<EdgeLimits.lockTriesMax {
            let opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
            guard opened >= 0 else {
                if errno == ELOOP { throw DaemonError("the lock file \(path) is a symbolic link: remove it") }
                throw DaemonError(
                    "opening the lock file \(path): \(DaemonError.text(errno)): \(SocketFile.advice(errno))")
            }
            guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
                let code = errno
                let holder = LockFile.text(of: opened)
                close(opened)
                guard code == EWOULDBLOCK else { throw DaemonError("locking \(path): \(DaemonError.text(code))") }
                throw DaemonError(
                    "another likesd\(holder.isEmpty ? "" : " (pid \(holder))") serves \(guarding): "
                        + "stop it, or set LIKESD_SOCKET")
            }
            // The former holder may have removed the file after it was opened here and before it was locked.
            if let locked = FileIdentity(descriptor: opened), locked == FileIdentity(path: path) {
                descriptor = opened
                try checkIsOurs()
                try write()
                return
            }
            close(opened)
        }
        throw DaemonError("the lock file \(path) is removed again and again: end who does it, or set LIKESD_SOCKET")
    }

    /// Nothing is written to a file that may belong to someone else: whoever may write to the folder may have put a
    /// hard link there, which no flag of open(2) refuses.
    private func checkIsOurs() throws(DaemonError) {
        var facts = stat()
        var problem: String?
        if fstat(descriptor, &facts) != 0 {
            problem = DaemonError.text(errno)
        } else if facts.st_mode & S_IFMT != S_IFREG {
            problem = "it is no regular file"
        } else if facts.st_nlink > 1 {
            problem = "it is a hard link to another file"
        } else if facts.st_uid != geteuid() {
            problem = "it belongs to another user"
        } else if facts.st_size > EdgeLimits.lockFileBytesMax {
            problem = "it holds more than a process' number"
        }
        guard let problem else { return }
        close(descriptor)
        throw DaemonError("the lock file \(path) is not likesd's: \(problem): remove it, or set LIKESD_SOCKET")
    }

    private func write() throws(DaemonError) {
        let text = Array("\(getpid())\n".utf8)
        guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, text, text.count, 0) == text.count else {
            throw DaemonError("writing \(path): \(DaemonError.text(errno)): \(SocketFile.advice(errno))")
        }
    }

    /// Removes the file while it is still locked, so that no two processes hold a lock each, on two files.
    func remove() {
        // Someone removed this file, and the one there now is another process'.
        if FileIdentity(descriptor: descriptor) == FileIdentity(path: path) { unlink(path) }
        close(descriptor)
    }

    /// The holder's pid as it wrote it, or nothing.
    private static func text(of descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        let digits = bytes.prefix(max(0, count)).prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
        return String(decoding: digits, as: UTF8.self)
    }
}
