import Testing

@testable import LikesStorage
@testable import TestSupport
@testable import likesd

/// Tables by hash of which a partition is missing: what was in it is neither found nor stored.
extension SchemaFitnessTests {
    static func part(_ modulus: Int, _ remainder: Int, of table: String = "user_likes") -> String {
        "PARTITION OF \(table) FOR VALUES WITH (MODULUS \(modulus), REMAINDER \(remainder))"
    }

    /// Three eighths, two of them at 8, are left out.
    static let inUnequalParts = [
        "DROP TABLE user_likes", "\(Schema.createUserLikes) PARTITION BY HASH (user_id)",
        "CREATE TABLE b \(part(2, 0))", "CREATE TABLE c \(part(4, 1))",
    ]

    private static let hashedCounters = [
        "ALTER TABLE counters RENAME TO old",
        "CREATE TABLE counters (LIKE old INCLUDING ALL) PARTITION BY HASH (item_id)",
    ]

    private static let inPartsOfParts = [
        "DROP TABLE user_likes_p1", "CREATE TABLE half \(part(2, 1)) PARTITION BY HASH (item_id)",
        "CREATE TABLE third \(part(3, 0, of: "half"))",
    ]

    static let incomplete: [Trial] = [
        Trial(
            statements: ["ALTER TABLE user_likes DETACH PARTITION user_likes_p3"], kinds: [.noPartition],
            partitions: 4),
        Trial(
            statements: [
                "ALTER TABLE user_likes DETACH PARTITION user_likes_p0",
                "ALTER TABLE user_likes DETACH PARTITION user_likes_p2",
            ], kinds: [.noPartition, .noPartition], partitions: 4),
        Trial(
            statements: ["DROP TABLE user_likes_p3"], kinds: [.noPartition], partitions: 4,
            mend: ["CREATE TABLE other \(part(4, 3))"]),
        Trial(
            statements: [
                "ALTER TABLE user_likes DETACH PARTITION user_likes_p1",
                "ALTER TABLE user_likes_p1 RENAME TO elsewhere",
            ], kinds: [.noPartition], partitions: 4,
            mend: ["ALTER TABLE user_likes ATTACH \(part(4, 1).replacingFirst(" OF user_likes", with: " elsewhere"))"]),
        // As it is between the two transactions of DETACH CONCURRENTLY, or when that was interrupted.
        Trial(
            statements: [
                "SET allow_system_table_mods = on",
                "UPDATE pg_inherits SET inhdetachpending = true WHERE inhrelid = 'user_likes_p1'::regclass",
            ], kinds: [.noPartition], partitions: 2),
        Trial(
            statements: inUnequalParts + ["CREATE TABLE d \(part(8, 3))"], kinds: [.noPartition],
            mend: ["CREATE TABLE e \(part(8, 7))"]),
        Trial(
            statements: inPartsOfParts, kinds: [.noPartition, .noPartition], partitions: 2,
            mend: [
                "CREATE TABLE second \(part(3, 1, of: "half"))", "CREATE TABLE last \(part(3, 2, of: "half"))",
            ]),
        Trial(
            statements: hashedCounters, kinds: [.noPartition],
            mend: ["CREATE TABLE counters_all \(part(1, 0, of: "counters"))"]),
        Trial(
            statements: hashedCounters + ["CREATE TABLE counters_p0 \(part(2, 0, of: "counters"))"],
            kinds: [.noPartition], mend: ["CREATE TABLE counters_p1 \(part(2, 1, of: "counters"))"]),
    ]

    @Test("What is missing is named, and no empty partition is made in its place.")
    func aMissingPartitionIsNamedAndNoEmptyOneIsMadeInItsPlace() throws {
        let database = try PostgresServer.shared.get().database(partitions: 4)
        let control = try database.connect()
        let lane = try database.lane()
        try control.run("ALTER TABLE user_likes DETACH PARTITION user_likes_p3")
        let detached = try #require(try lane.misfits().first)
        #expect(detached.text.contains("public.user_likes has no partition for MODULUS 4, REMAINDER 3"))
        #expect(
            detached.remedy.sql
                == "ALTER TABLE public.user_likes ATTACH PARTITION public.user_likes_p3 "
                + "FOR VALUES WITH (MODULUS 4, REMAINDER 3)")
        try control.run("DROP TABLE user_likes_p3")
        let dropped = try #require(try lane.misfits().first)
        #expect(dropped.remedy.sql == nil)
        let words = dropped.remedy.text
        #expect(words.contains("restore it from a backup"))
        #expect(!words.contains("CREATE"))
    }

    @Test("Of a layout with very many remainders not all are gone through, and it is found all the same.")
    func ofVeryManyRemaindersNotAllAreGoneThrough() throws {
        let database = try PostgresServer.shared.get().database()
        let control = try database.connect()
        for statement in Self.inUnequalParts { try control.run(statement) }
        // 1/2 + 1/4 + 1/8 + … of all, each at the remainder that is left.
        for doublings in 3...16 {
            let modulus = 1 << doublings
            try control.run("CREATE TABLE part_\(doublings) \(Self.part(modulus, modulus / 2 - 1))")
        }
        let found = try database.lane().misfits()
        #expect(found.map(\.kind) == [.noPartition])
        #expect(found.first?.object == "")
    }

    @Test("A host sees a partition of counters that was emptied, or taken away and put back with another file.")
    func aHostSeesAPartitionThatWasEmptiedOrPutBack() throws {
        let database = try PostgresServer.shared.get().database()
        let control = try database.connect()
        for statement in Self.hashedCounters { try control.run(statement) }
        for remainder in 0..<2 {
            try control.run("CREATE TABLE counters_p\(remainder) \(Self.part(2, remainder, of: "counters"))")
        }
        let lane = try database.lane()
        _ = try lane.fence(7)
        let first = try lane.survey(7).identity
        #expect(try lane.survey(7, signOfLife: 2).identity == first)
        try control.run("TRUNCATE counters_p1")
        #expect(try lane.survey(7, signOfLife: 3).identity.tables != first.tables)
    }
}

extension String {
    fileprivate func replacingFirst(_ text: String, with other: String) -> String {
        guard let place = firstRange(of: text) else { return self }
        return String(self[..<place.lowerBound]) + other + String(self[place.upperBound...])
    }
}
