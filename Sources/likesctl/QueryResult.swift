import CPostgres

/// What one statement returned, as libpq holds it.
struct QueryResult: ~Copyable {
    private let pointer: OpaquePointer

    /// Takes ownership of the result.
    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { PQclear(pointer) }

    var status: ExecStatusType { PQresultStatus(pointer) }

    var rowCount: Int32 { PQntuples(pointer) }

    /// Rows that the statement stored or copied; 0 if it says nothing of that.
    var affectedRows: Int64 { PQcmdTuples(pointer).flatMap { Int64(String(cString: $0)) } ?? 0 }

    /// A number of 1 to 8 bytes in a binary result; nil for NULL.
    func number(_ row: Int32, _ column: Int32) -> Int64? {
        guard PQgetisnull(pointer, row, column) == 0, let bytes = PQgetvalue(pointer, row, column) else { return nil }
        var number: Int64 = 0
        let length = Int(PQgetlength(pointer, row, column))
        // No server returns this here: treated as missing.
        guard (1...8).contains(length) else { return nil }
        for place in 0..<length {
            let byte = UInt8(bitPattern: bytes[place])
            // The first byte has the sign.
            number = place == 0 ? Int64(Int8(bitPattern: byte)) : number << 8 | Int64(byte)
        }
        return number
    }

    /// All rows of a text result.
    var texts: Database.Rows {
        (0..<rowCount).map { row in
            (0..<PQnfields(pointer)).map { column in
                PQgetisnull(pointer, row, column) == 1
                    ? nil : PQgetvalue(pointer, row, column).map { String(cString: $0) }
            }
        }
    }
}
