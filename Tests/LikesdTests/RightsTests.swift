import LikesCore
import LikesProtocol
import LikesSettings
import Testing

@testable import LikesStorage
@testable import TestSupport
@testable import likesd

/// The rights of the role, as docs/operations.md says which it needs.
@Suite struct RightsTests {
    static let leastRights = [
        "GRANT SELECT ON likesd_schema, item_types, likesd_secret TO ROLE",
        "GRANT SELECT, INSERT, DELETE ON user_likes TO ROLE",
        "GRANT SELECT, INSERT, UPDATE ON counters TO ROLE",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON lanes, cache_repairs, likesd_hosts TO ROLE",
    ]

    /// Runs `body` with a lane of a role that has these rights and no others.
    private func withRole(
        _ rights: [String], partitions: Int = 0, _ body: (PostgresTester, LaneTester, String) throws -> Void
    ) throws {
        let database = try PostgresServer.shared.get().database(partitions: partitions)
        let control = try database.connect()
        let role = "role_\(control.processID)"
        try control.run("CREATE ROLE \(role)")
        for right in rights { try control.run(right.replacing("ROLE", with: role)) }
        let lane = try database.lane()
        try lane.connection.run("SET ROLE \(role)")
        try body(control, lane, role)
        try lane.connection.run("RESET ROLE")
        try control.run("DROP OWNED BY \(role)")
        try control.run("DROP ROLE \(role)")
    }

    @Test("The least rights are enough for all that likesd does, on a table in partitions too.", arguments: [0, 3])
    func leastRightsAreEnough(partitions: Int) throws {
        try withRole(Self.leastRights, partitions: partitions) { _, lane, _ in
            #expect(try lane.misfits() == [])
            #expect(try lane.fence(7) == .fenced(nil))
            let item = Item(type: 0, id: 5)
            let like = BatchRow(pair: Pair(user: 1, item: item), wanted: true)
            let fence = LaneFence(lane: 7, epoch: 1)
            let request = CommitRequest(fence: fence, batch: 1, rows: [like], journal: [item], cutOff: .all)
            let counter = CounterState(item: item, count: 1, version: 1)
            #expect(try lane.commit(request) == .committed(BatchOutcome(changed: [true], counters: [counter])))
            let tend = TendRequest(fence: fence, repairs: [item], mended: [], journal: [])
            #expect(try lane.perform(.tend(tend)) == .tended(settledUpTo: nil))
            _ = try lane.survey(7)
            #expect(try lane.fence(8, former: 7) == .fenced(nil))
        }
    }

    @Test("A right that is missing is named, with what grants it.", arguments: Schema.tables.map(\.name))
    func aRightThatIsMissingIsNamedWithWhatGrantsIt(table: String) throws {
        let rights = try #require(Schema.tables.first { $0.name == table }).rights
        try withRole(Self.leastRights) { control, lane, role in
            for right in rights {
                try control.run("REVOKE \(right) ON \(table) FROM \(role)")
                let found = try lane.misfits()
                #expect(found.map(\.kind) == [.noRight])
                #expect(found.first?.text == "the role \(role) lacks the right to \(right) on public.\(table)")
                #expect(found.first?.remedy.sql == "GRANT \(right) ON public.\(table) TO \(role)")
                try control.run(#require(found.first?.remedy.sql))
                #expect(try lane.misfits() == [])
            }
        }
    }

    @Test("All rights that are missing are granted at once.")
    func allRightsThatAreMissingAreGrantedAtOnce() throws {
        try withRole([Self.leastRights[0]]) { control, lane, role in
            let host = HostFacts(
                userName: "likesd", credentialsFolder: nil, isPostgresInstalled: true, isRedisInstalled: true)
            let target = DatabaseTarget(host: "", port: "", database: "likes", role: role)
            let found = try lane.misfits()
            let failure = try #require(found.failure(Advice(Configuration(), on: host), target))
            #expect(
                failure.reason
                    == "the role \(role) lacks the right to SELECT, INSERT, DELETE on public.user_likes (and 4 more)")
            let grants = found.compactMap(\.remedy.sql)
            #expect(failure.next == "sudo -u postgres psql -d likes -c '\(grants.joined(separator: "; "))'")
            for grant in grants { try control.run(grant) }
            #expect(try lane.misfits() == [])
        }
    }

    @Test("Rights to the columns are as good as those to the table.")
    func rightsToTheColumnsAreAsGoodAsThoseToTheTable() throws {
        let rights = [
            Self.leastRights[0], Self.leastRights[1], Self.leastRights[3],
            "GRANT SELECT, INSERT (item_id, item_type, like_count, version), "
                + "UPDATE (like_count, version, updated_at) ON counters TO ROLE",
        ]
        try withRole(rights) { _, lane, _ in
            let found = try lane.misfits()
            #expect(found == [])
        }
    }
}
