import CPostgres
import LikesCore
import LikesProtocol
import LikesStorage

/// A libpq result, freed with the value.
struct StatementResult: ~Copyable {
    private let result: OpaquePointer

    /// Takes ownership of the result.
    init(_ result: OpaquePointer) { self.result = result }

    deinit {
        Reading.isAt(nil)
        PQclear(result)
    }

    var status: ExecStatusType { PQresultStatus(result) }
    var rowCount: Int { Int(PQntuples(result)) }

    var columnCount: Int { Int(PQnfields(result)) }

    func isNull(_ row: Int, _ column: Int32) -> Bool { PQgetisnull(result, Int32(row), column) != 0 }

    /// The first column whose type differs from the expected one: its name and the expected type; nil if all fit.
    func misfit(_ expected: [ColumnType]) -> (column: String, type: ColumnType)? {
        for (place, type) in expected.enumerated() where PQftype(result, Int32(place)) != type.rawValue {
            return (name(Int32(place)), type)
        }
        return nil
    }

    /// A column in binary format, of the integer type that the statement returned when it was prepared. The tables may
    /// have changed since.
    func integer<Number: FixedWidthInteger>(
        _ row: Int, _ column: Int32, as type: Number.Type
    ) throws(Misfit) -> Number {
        guard !isNull(row, column) else { throw Misfit("\(name(column)) is NULL") }
        guard let value = PQgetvalue(result, Int32(row), column),
            Int(PQgetlength(result, Int32(row), column)) == MemoryLayout<Number>.size
        else { throw Misfit("\(name(column)) has another type") }
        Reading.isAt(UnsafeRawBufferPointer(start: value, count: MemoryLayout<Number>.size))
        return Number(bigEndian: UnsafeRawPointer(value).loadUnaligned(as: Number.self))
    }

    /// The same within a range: no history goes beyond it, and arithmetic could overflow.
    func integer(
        _ row: Int, _ column: Int32, in range: ClosedRange<Int64>
    ) throws(Misfit) -> Int64 {
        let number = try integer(row, column, as: Int64.self)
        guard range.contains(number) else { throw Misfit("\(name(column)) is out of range") }
        return number
    }

    private func name(_ column: Int32) -> String { PQfname(result, column).map { ForeignText.shown($0) } ?? "a column" }

    /// A column in text format; empty for NULL.
    func text(_ row: Int, _ column: Int32) throws(Misfit) -> String {
        guard let value = PQgetvalue(result, Int32(row), column) else { throw Misfit("a column is missing") }
        guard PQgetlength(result, Int32(row), column) <= EdgeLimits.columnBytesMax else {
            throw Misfit("\(name(column)) is longer than \(EdgeLimits.columnBytesMax) bytes")
        }
        Reading.isAt(UnsafeRawBufferPointer(start: value, count: Int(PQgetlength(result, Int32(row), column))))
        return String(cString: value)
    }

    /// All columns of a row, in text format.
    func texts(_ row: Int) throws(Misfit) -> [String] {
        var texts: [String] = []
        for column in 0..<Int32(columnCount) { texts.append(try text(row, column)) }
        return texts
    }

    /// The rows of `Schema.selectMisfits`.
    func misfits() throws(Misfit) -> [SchemaMisfit] {
        var misfits: [SchemaMisfit] = []
        for row in 0..<rowCount {
            if let misfit = SchemaMisfit(try texts(row)) { misfits.append(misfit) }
        }
        return misfits
    }

    /// Rows, the end of a command, or an error, but not a COPY.
    var isOrdinary: Bool {
        switch status {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_FATAL_ERROR: true
        default: false
        }
    }

    // MARK: Errors

    /// The five letters that name the kind of error; nil: libpq's own error, about the connection.
    var sqlState: String? { field(PostgresField.sqlState) }

    /// A trigger or a rule may have raised it.
    var message: String { field(PostgresField.message) ?? ForeignText.shown(PQresultErrorMessage(result)) }

    /// The server ended the session with this error, so the transaction's outcome is unknown.
    var endsSession: Bool {
        guard let severity = field(PostgresField.severity) else { return true }
        return severity != "ERROR"
    }

    private func field(_ code: Int32) -> String? { PQresultErrorField(result, code).map { ForeignText.shown($0) } }
}

/// Fields of an error or a notice. libpq's macros for them are characters, which Swift does not import.
enum PostgresField {
    /// PG_DIAG_SEVERITY_NONLOCALIZED
    static let severity = Int32(UInt8(ascii: "V"))
    /// PG_DIAG_SQLSTATE
    static let sqlState = Int32(UInt8(ascii: "C"))
    /// PG_DIAG_MESSAGE_PRIMARY
    static let message = Int32(UInt8(ascii: "M"))
    /// PG_DIAG_SOURCE_FUNCTION
    static let function = Int32(UInt8(ascii: "R"))
    static let all = "SVCMDHPpqWstcdnFLR".utf8.map { Int32($0) }
}

extension StatementFailure {
    /// SQLSTATE classes about the rows themselves: data, constraints, triggers, views' checks, and errors raised by
    /// functions of the database's owner.
    private static let classesOfRows: Set<String> = ["22", "23", "27", "44", "P0"]

    /// What an error from the server says about trying again. `permission`: what to do if the role lacks the right.
    init(_ result: borrowing StatementResult, permission: @autoclosure () -> String) {
        let state = result.sqlState ?? ""
        let text = "\(result.message) (SQLSTATE \(state))"
        self =
            switch state {
            case "40P01", "40001", "55P03": .retryable(text)
            case "25006": .readOnly(text, next: PostgresAdvice.readOnly)
            case "42P01", "42703", "3F000": .schema(text, next: Schema.whenLost("what is missing"))
            // A key is gone, or is only checked at commit. The next connection learns which, and what to do.
            case "42P10", "55000": .schema(text)
            // A prepared statement would return other types than before. Preparing it again shows them.
            case "42501": .permission(text, next: permission())
            case "0A000": .schema(text, next: PostgresAdvice.altered)
            default: StatementFailure.classesOfRows.contains(String(state.prefix(2))) ? .rows(text) : .other(text)
            }
    }
}

extension StatementFailure {
    /// What the server said.
    var text: String {
        switch self {
        case .retryable(let text), .readOnly(let text, _), .schema(let text, _), .rows(let text),
            .permission(let text, _), .other(let text):
            text
        }
    }
}

/// What to do, in words for HEALTH and the log.
enum PostgresAdvice {
    static let altered = "restore the column types that likesctl migrate created: the tables were altered"
    static let readOnly = "point DATABASE_URL at the primary, or let the server take writes again"
}
