import Glibc
import LikesctlCommands

/// A file that gets its name once it is complete, or standard output.
struct OutputFile: ~Copyable {
    private static let bufferBytes = 256 * 1024
    /// What it may be read by: likes are personal data.
    private static let mode: mode_t = 0o600

    /// nil: standard output, or something that is no regular file, such as a pipe.
    private let path: String?
    private let name: String
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    /// The partial file is this export's, and of no use if it ends now.
    private var leavesPart = false

    /// `path`: nil for standard output.
    init(_ path: String?) throws(Failure) {
        buffer.reserveCapacity(Self.bufferBytes)
        guard let path else {
            (self.path, name, descriptor) = (nil, "standard output", STDOUT_FILENO)
            return
        }
        name = path
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            self.path = nil
            descriptor = open(path, O_WRONLY | O_CLOEXEC)
        } else {
            self.path = path
            descriptor = open(Self.partial(path), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, Self.mode)
        }
        guard descriptor >= 0 else { throw Self.failure(path) }
        guard self.path != nil else { return }
        // What is there was left by an export that was killed, or is being written by another one.
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw Failure(
                .output, "another export is writing \(Self.partial(path))",
                next: "wait until it ends, or name another file")
        }
        guard Self.isNamed(descriptor, Self.partial(path)) else {
            throw Failure(.output, "another export to \(path) ended just now", next: "run this again")
        }
        guard ftruncate(descriptor, 0) == 0, fchmod(descriptor, Self.mode) == 0 else { throw Self.failure(path) }
        leavesPart = true
    }

    deinit {
        // It may have filled the disk. Whoever cannot remove it finds its name in the manual, and exporting again does.
        if leavesPart, let path { unlink(Self.partial(path)) }
        if descriptor != STDOUT_FILENO { close(descriptor) }
    }

    /// Whether the open file still has this name: the export that had it locked may have renamed or removed it.
    private static func isNamed(_ descriptor: Int32, _ path: String) -> Bool {
        var (opened, named) = (stat(), stat())
        return fstat(descriptor, &opened) == 0 && stat(path, &named) == 0 && opened.st_ino == named.st_ino
            && opened.st_dev == named.st_dev
    }

    private static func partial(_ path: String) -> String { "\(path).partial" }

    private static func failure(_ name: String) -> Failure {
        Failure(.output, "\(name) could not be written: \(SystemCalls.text(of: errno))")
    }

    mutating func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        if buffer.count + bytes.count > Self.bufferBytes { try flush() }
        buffer.append(contentsOf: bytes)
    }

    private mutating func flush() throws(Failure) {
        let isWritten = buffer.withUnsafeBytes { SystemCalls.write($0, to: descriptor) }
        guard isWritten else { throw Self.failure(name) }
        buffer.removeAll(keepingCapacity: true)
    }

    /// Everything was written: it is on the disk before it gets its name.
    mutating func finish() throws(Failure) {
        try flush()
        guard let path else { return }
        guard fsync(descriptor) == 0, rename(Self.partial(path), path) == 0 else { throw Self.failure(path) }
        leavesPart = false
        let folder = open(Self.folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw Self.failure(path) }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw Self.failure(path) }
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
