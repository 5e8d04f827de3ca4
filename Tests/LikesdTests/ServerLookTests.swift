import Foundation
import LikesHost
import LikesSettings
import LikesStorage
import Testing

@testable import likesd

@Suite struct ServerLookTests {
    /// A server that is there and never answers.
    private final class HungServer {
        let folder: String
        private let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
        private(set) var connections: [Int32] = []

        init() throws {
            folder = "/tmp/likesd-hung-\(UUID().uuidString.prefix(8))"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: "\(folder)/.s.PGSQL.5432".utf8) }
            let length = socklen_t(MemoryLayout<sockaddr_un>.size)
            let status = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, length) }
            }
            try #require(status == 0 && listen(listener, 128) == 0)
        }

        deinit {
            for descriptor in connections + [listener] { close(descriptor) }
            try? FileManager.default.removeItem(atPath: folder)
        }

        /// Who has connected by now.
        func accepted() -> Int {
            while case let descriptor = accept(listener, nil, nil), descriptor >= 0 { connections.append(descriptor) }
            return connections.count
        }

        /// Whether all of them have closed their side.
        var isLeft: Bool {
            connections.allSatisfy { descriptor in
                var bytes = [UInt8](repeating: 0, count: 4096)
                let dontWait = Int32(MSG_DONTWAIT)
                var count = recv(descriptor, &bytes, bytes.count, dontWait)
                while count > 0 { count = recv(descriptor, &bytes, bytes.count, dontWait) }
                return count == 0
            }
        }
    }

    private func look(
        _ servers: [DatabaseServer], url: String, _ loop: EventLoop, onNews: @escaping (ServerLook) -> Void = { _ in }
    ) -> ServerLook {
        var configuration = Configuration()
        configuration.databaseURL = url
        return ServerLook(servers, configuration: configuration, loop: loop, onNews: onNews)
    }

    private func run(_ loop: EventLoop, until isDone: () -> Bool) throws {
        while !isDone() { if try loop.wait() { try loop.dispatch() } }
    }

    @Test("A server that hangs keeps nobody from one that answers, and is let go with the look.")
    func aServerThatHangsKeepsNobodyFromOneThatAnswers() throws {
        let (hung, loop) = (try HungServer(), try EventLoop())
        let url = try PostgresServer.shared.get().database().url
        let real = try #require(DatabaseHosts(of: url).servers([:]).first)
        let look = look([DatabaseServer(host: hung.folder, port: "5432"), real], url: url, loop)
        try look.begin()
        try run(loop) { !look.seen.isEmpty }
        #expect(look.seen.map(\.server) == [real])
        #expect(look.seen.first.map { !$0.facts.isStandby && !$0.facts.isReadOnly && $0.facts.timeline == 1 } == true)
        try run(loop) { look.hasWaited }
        #expect(!look.isOver)
        #expect(hung.accepted() == 1)
        try run(loop) { look.isOver }
        #expect(hung.accepted() == 1)
        #expect(!hung.isLeft)
        look.cancel()
        #expect(hung.isLeft)
    }

    @Test("One server has the same face by every name, and another server another.")
    func oneServerHasTheSameFaceByEveryName() throws {
        let loop = try EventLoop()
        let url = try PostgresServer.shared.get().database().url
        let real = try #require(DatabaseHosts(of: url).servers([:]).first)
        let look = look([real, DatabaseServer(host: real.host, port: "5432")], url: url, loop)
        try look.begin()
        try run(loop) { look.isOver }
        #expect(look.seen.count == 2)
        #expect(look.seen.allSatisfy { $0.facts.isSameServer(as: look.seen[0].facts) })
    }

    @Test("Of many servers no more than the limit are asked at once.")
    func ofManyServersNoMoreThanTheLimitAreAskedAtOnce() throws {
        let (hung, loop) = (try HungServer(), try EventLoop())
        let servers = (0..<3 * EdgeLimits.serversAskedMax).map { _ in DatabaseServer(host: hung.folder, port: "5432") }
        let look = look(servers, url: "postgresql://u@/likes", loop)
        try look.begin()
        #expect(hung.accepted() == EdgeLimits.serversAskedMax)
        look.cancel()
        #expect(hung.isLeft)
    }

    @Test("Who refuses connections is asked again while others are waited for; where nobody is, the look is over.")
    func whoRefusesConnectionsIsAskedAgainWhileOthersAreWaitedFor() throws {
        let (hung, loop) = (try HungServer(), try EventLoop())
        let nobody = DatabaseServer(host: "/nobody/here", port: "5432")
        let alone = look([nobody], url: "postgresql://u@/likes", loop)
        try alone.begin()
        #expect(alone.isOver)
        // The second place is nobody's at first, and then a server's that refuses what it is told.
        let folder = hung.folder + "/late"
        let look = look(
            [DatabaseServer(host: hung.folder, port: "5432"), DatabaseServer(host: folder, port: "5432")],
            url: "postgresql://u@/likes", loop)
        try look.begin()
        try FileManager.default.createSymbolicLink(atPath: folder, withDestinationPath: hung.folder)
        try run(loop) { hung.accepted() == 2 }
        #expect(!look.isOver)
        look.cancel()
    }

    @Test("What libpq says of a setting that it refuses repeats no password.")
    func whatLibpqSaysOfARefusedSettingRepeatsNoPassword() throws {
        let loop = try EventLoop()
        let url = "postgresql://u:s3cret@/likes?connect_timeout=s3cret"
        let look = look([DatabaseServer(host: "/nobody/here", port: "5432")], url: url, loop)
        try look.begin()
        guard case .failed(let failure) = look.states[0] else {
            Issue.record("no failure")
            return
        }
        #expect(!failure.refusal.text.contains("s3cret"))
    }
}
