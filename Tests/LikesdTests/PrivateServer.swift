import Foundation

/// A server in a folder of its own, which ends and is gone with this value, or with the process of the tests however
/// that ends: a shell holds the server, and waits for the end of what is written to it.
final class PrivateServer {
    let folder: String
    private let process = Process()
    private let lifeline = Pipe()

    /// `{folder}` in the command stands for the folder. `isUnprivileged`: not to be run as root.
    init(_ command: [String], setUp: [String] = [], isUnprivileged: Bool = false) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("likesd-\(UUID().uuidString)").path
        let user = isUnprivileged && getuid() == 0 ? "postgres" : nil
        let prefix = user.map { ["setpriv", "--reuid=\($0)", "--regid=\($0)", "--clear-groups"] } ?? []
        let quoted = { (words: [String]) in
            words.map { "'\($0.replacingOccurrences(of: "{folder}", with: self.folder))'" }.joined(separator: " ")
        }
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = [
            "-c",
            """
            mkdir -p '\(folder)' && cd '\(folder)' \(user.map { "&& chown \($0) ." } ?? "") || exit 1
            \(setUp.isEmpty ? "" : "\(quoted(prefix + setUp)) >>log 2>&1 || exit 1")
            \(quoted(prefix + command)) >>log 2>&1 &
            server=$!
            read -r _
            kill -QUIT $server 2>/dev/null || kill -KILL $server
            wait
            cd / && rm -rf '\(folder)'
            """,
        ]
        process.standardInput = lifeline
        try process.run()
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
