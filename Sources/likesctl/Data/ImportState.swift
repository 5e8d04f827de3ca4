import LikesctlCommands

/// How far an import has come, as the database remembers it.
struct ImportState {
    var source: String
    var format: String
    /// The input is loaded as a whole, and sorted.
    var isSorted = false
    var input = InputRows.Position()
    /// Rows that are no likes.
    var left = RowsLeftOut()
    /// Distinct likes of the input; known once they are sorted.
    var likes: Int64 = 0
    var nextPage: Int64 = 0
    /// Likes that were compared with those that are there, and those that were not there.
    var merged: Int64 = 0
    var added: Int64 = 0

    /// nil: no import is unfinished.
    static func stored(in database: borrowing Database) throws(Failure) -> ImportState? {
        guard try database.execute(ImportStatements.hasState).first?.first == "t" else { return nil }
        guard let row = try database.execute(ImportStatements.selectState).first else { return nil }
        let texts = row.map { $0 ?? "" }
        let numbers = texts.map { Int64($0) ?? 0 }
        guard texts.count == 14 else { return nil }
        var state = ImportState(source: texts[0], format: texts[1])
        state.isSorted = texts[2] == "t"
        state.input = InputRows.Position(
            bytes: numbers[3], digest: InputDigest(numbers[4]), lines: numbers[5], rows: numbers[6])
        state.left = RowsLeftOut(user: numbers[7], item: numbers[8], type: numbers[9])
        (state.likes, state.nextPage, state.merged, state.added) = (numbers[10], numbers[11], numbers[12], numbers[13])
        return state
    }

    /// Rows of the input that repeat another one.
    var duplicates: Int64 { isSorted ? input.rows - left.count - likes : 0 }
}

/// Rows that are no likes, by what is wrong with them.
struct RowsLeftOut: Equatable {
    var user: Int64 = 0
    var item: Int64 = 0
    var type: Int64 = 0

    var count: Int64 { user + item + type }

    static func + (left: RowsLeftOut, right: RowsLeftOut) -> RowsLeftOut {
        RowsLeftOut(user: left.user + right.user, item: left.item + right.item, type: left.type + right.type)
    }
}
