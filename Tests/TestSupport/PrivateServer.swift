import Foundation

/// A server in a folder of its own, which ends and is gone with this value, or with the process of the tests however
/// that ends: a shell holds the server, and waits for the end of what is written to it.
final class PrivateServer {
    let folder: String
    private let process: Process
    private let lifeline: Pipe
    /// No other server's shell may get hold of this one's lifeline.
    private static let starting = NSLock()

    /// `{folder}` in the commands stands for the folder. `isUnprivileged`: not to be run as root.
    init(_ command: [String], setUp: [String] = [], isUnprivileged: Bool = false) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("likesd-\(UUID().uuidString)").path
        let user = isUnprivileged && getuid() == 0 ? "postgres" : nil
        let prefix = user.map { ["setpriv", "--reuid=\($0)", "--regid=\($0)", "--clear-groups"] } ?? []
        let quoted = { (words: [String]) in
            words.map { "'\($0.replacingOccurrences(of: "{folder}", with: folder))'" }.joined(separator: " ")
        }
        // A shell has what it starts in the background ignore SIGQUIT, PostgreSQL's fastest way out; PostgreSQL does
        // not, and Redis does.
        let script = """
            mkdir -p '\(folder)' && cd '\(folder)' \(user.map { "&& chown \($0) ." } ?? "") || exit 1
            \(setUp.isEmpty ? "" : "\(quoted(prefix + setUp)) >>log 2>&1 || exit 1")
            \(quoted(prefix + command)) >>log 2>&1 &
            server=$!
            read -r _
            kill -QUIT $server
            kill -TERM $server
            wait
            cd / && rm -rf '\(folder)'
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", script]
        lifeline = try Self.starting.withLock {
            let lifeline = Pipe()
            for end in [lifeline.fileHandleForReading, lifeline.fileHandleForWriting] {
                _ = fcntl(end.fileDescriptor, F_SETFD, FD_CLOEXEC)
            }
            process.standardInput = lifeline
            try process.run()
            return lifeline
        }
        self.process = process
        self.folder = folder
    }

    deinit {
        try? lifeline.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// Waits until `condition` gives something; fails after what even a slow machine needs.
    func wait<Value>(for what: String, until condition: () throws -> Value?) throws -> Value {
        let deadline = Date().addingTimeInterval(60)
        while Date() < deadline, process.isRunning {
            if let value = try condition() { return value }
            usleep(2_000)
        }
        let log = (try? String(contentsOfFile: "\(folder)/log", encoding: .utf8)) ?? ""
        throw Failure(text: "waited in vain for \(what): \(log)")
    }
}

/// Something the tests themselves could not do.
struct Failure: Error {
    var text: String
}
