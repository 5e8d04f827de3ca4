import LikesctlCommands
import Testing

@testable import likesctl

/// What a take-over says of rows that likesd cannot hold.
@Suite struct UnheldRowsTests {
    @Test("Rows of all slices and types are added up, by table and kind, and those in the way come last.")
    func rowsOfAllSlicesAreAddedUp() {
        var sums = UnheldSums()
        sums.add(["1", "10", "0", nil, "2", "-5, 7, 1", "1", "3, 4, 1", "0", nil], of: "user_likes")
        sums.add(["9", "5", "0", nil, "1", "-6, 7, 9", "0", nil, "0", nil], of: "user_likes")
        sums.add(["1", "3", "0", nil, "0", nil, "0", nil, "2", "8, 1"], of: "counters")
        sums.add([nil, "1", "1", "3", "0", nil, "0", nil, "0", nil], of: "user_likes")
        #expect(
            sums.rows.map { "\($0.table) \($0.kind.rawValue) \($0.rows) \($0.example)" } == [
                "counters null-count 2 8, 1", "user_likes negative-id 3 -5, 7, 1", "user_likes null-key 1 3",
                "user_likes null-time 1 3, 4, 1",
            ])
        #expect(sums.rows.map(\.isObstacle) == [false, false, true, true])
        #expect(sums.rows(.nullCount, of: "counters") == 2)
        #expect(
            sums.unnamed([1: "post"]).map(\.text) == [
                "user_likes unnamed-type: 5 rows of the item type 9, which has no name; next: they stay, "
                    + "and likesd answers nothing about them; to have it answer: likesctl migrate --type 9=NAME, with "
                    + "NAME in ITEM_TYPES of each host"
            ])
    }

    @Test("Each kind says what becomes of the rows.", arguments: UnheldRows.Kind.allCases)
    func eachKindSaysWhatBecomesOfTheRows(kind: UnheldRows.Kind) {
        for table in ["user_likes", "counters"] {
            let rows = UnheldRows(table: table, kind: kind, rows: 1, example: "1, 2")
            #expect(rows.text.hasPrefix("\(table) \(kind.rawValue): 1 row "))
            #expect(rows.text.contains("; next: "))
            #expect(!rows.next.isEmpty)
            // Whoever has to correct them is given the statement.
            #expect(!rows.isObstacle || rows.next.contains("UPDATE") || rows.next.contains("DELETE"))
        }
    }
}
