import LikesStorage
import Testing

/// Which transactions had ended.
@Suite struct DatabaseSnapshotTests {
    @Test("A snapshot is read as PostgreSQL writes it", arguments: ["10:10:", "10:20:10,14,15", "0:0:"])
    func aSnapshotIsReadAsPostgreSQLWritesIt(_ text: String) throws {
        #expect(try #require(DatabaseSnapshot(text)).text == text)
    }

    @Test("A transaction has ended where it began before and does not run")
    func aTransactionHasEndedWhereItBeganBeforeAndDoesNotRun() {
        let snapshot = DatabaseSnapshot(least: 10, next: 20, running: [10, 14])
        #expect([9, 11, 13, 15, 19].allSatisfy { snapshot.hasEnded($0) })
        #expect(![10, 14, 20, 21].contains { snapshot.hasEnded($0) })
        #expect(!DatabaseSnapshot.unknown.hasEnded(1))
    }

    @Test("Of too many that run none is said to have ended")
    func ofTooManyThatRunNoneIsSaidToHaveEnded() throws {
        let running = (0..<Int64(DatabaseSnapshot.runningMax) + 3).map { 10 + 2 * $0 }
        let snapshot = DatabaseSnapshot(least: 10, next: 200, running: running)
        #expect(!running.contains { snapshot.hasEnded($0) })
        #expect(snapshot.hasEnded(11))
        #expect(!snapshot.hasEnded(150))
        #expect(snapshot.running.count == DatabaseSnapshot.runningMax)
        #expect(try #require(DatabaseSnapshot(snapshot.text)) == snapshot)
    }
}
