import CPostgres
import Glibc
import LikesProtocol
import LikesctlCommands

/// Why a COPY into PostgreSQL failed.
enum CopyTrouble: Error {
    /// A row that PostgreSQL cannot read. `line`: counted from 1 within the copied bytes, nil if it did not say.
    case row(line: Int64?, message: String)
    case failure(Failure)
}

// COPY, of which libpq passes on the bytes.
extension Database {
    /// Bytes that libpq is given at once.
    private static let copyChunkBytes = 64 * 1024
    /// Milliseconds in which PostgreSQL has to take some bytes, or to send some.
    static let copyStallMs: Int64 = 60_000

    /// Sends `bytes` to `statement`, a COPY … FROM STDIN, with what `framed` has before and behind them. Returns the
    /// number of rows.
    func copy(
        _ bytes: UnsafeRawBufferPointer, framed: (begin: [UInt8], end: [UInt8])?, into statement: String
    ) throws(CopyTrouble) -> Int64 {
        do throws(Failure) {
            try begin(statement, PGRES_COPY_IN, stallMs: Self.copyStallMs)
            guard PQsetnonblocking(connection, 1) == 0 else { throw lost() }
            if let framed { try put(framed.begin) }
            var rest = bytes
            while let start = rest.baseAddress, !rest.isEmpty {
                let count = min(rest.count, Self.copyChunkBytes)
                try put { PQputCopyData($0, start.assumingMemoryBound(to: CChar.self), Int32(count)) }
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
            if let framed { try put(framed.end) }
            try put { PQputCopyEnd($0, nil) }
            guard PQsetnonblocking(connection, 0) == 0 else { throw lost() }
            try waitForResult(timeoutMs: Self.copyStallMs)
        } catch {
            throw .failure(error)
        }
        var rows: Int64?
        var trouble: CopyTrouble?
        while let pointer = PQgetResult(connection) {
            let result = QueryResult(pointer)
            switch PQresultStatus(pointer) {
            case PGRES_COMMAND_OK: rows = result.affectedRows
            case PGRES_FATAL_ERROR: trouble = copyTrouble(pointer)
            default: throw .failure(lost())
            }
        }
        if let trouble { throw trouble }
        guard let rows else { throw .failure(lost()) }
        return rows
    }

    private func begin(_ statement: String, _ expected: ExecStatusType, stallMs: Int64) throws(Failure) {
        guard PQsendQuery(connection, statement) == 1 else { throw lost() }
        try waitForResult(timeoutMs: stallMs)
        guard let pointer = PQgetResult(connection) else { throw lost() }
        let result = QueryResult(pointer)
        guard result.status != expected else { return }
        let failure = result.status == PGRES_FATAL_ERROR ? explain(pointer) : lost()
        while let rest = PQgetResult(connection) { PQclear(rest) }
        throw failure
    }

    private func put(_ bytes: [UInt8]) throws(Failure) {
        try put { connection in
            bytes.withUnsafeBytes {
                PQputCopyData(connection, $0.baseAddress?.assumingMemoryBound(to: CChar.self), Int32($0.count))
            }
        }
    }

    /// Hands something to libpq and waits until PostgreSQL has taken it.
    private func put(_ body: (OpaquePointer) -> Int32) throws(Failure) {
        let deadlineMs = SystemCalls.nowMs() + Self.copyStallMs
        while true {
            let taken = body(connection)
            guard taken >= 0 else { throw lost() }
            var isLeft = PQflush(connection)
            while isLeft == 1 {
                guard SystemCalls.wait(for: Int16(POLLIN | POLLOUT), on: PQsocket(connection), deadlineMs: deadlineMs)
                else { throw Failure(.timedOut, "PostgreSQL took no rows for \(Self.copyStallMs / 1_000) s") }
                guard PQconsumeInput(connection) == 1 else { throw lost() }
                isLeft = PQflush(connection)
            }
            guard isLeft == 0 else { throw lost() }
            if taken == 1 { return }
        }
    }

    /// Class 22 of the errors is something in the data; so is a field of binary rows that is too short or too long.
    private func copyTrouble(_ result: OpaquePointer) -> CopyTrouble {
        func field(_ code: Character) -> String? {
            PQresultErrorField(result, Int32(code.asciiValue ?? 0)).map { ForeignText.shown($0) }
        }
        guard let state = field("C"), state.hasPrefix("22") || state == "08P01" else {
            return .failure(explain(result))
        }
        // `COPY table, line 3, column …`, in the server's language: the first number is the line's.
        let digits = (field("W") ?? "").drop { !$0.isWholeNumber }.prefix { $0.isWholeNumber }
        return .row(line: Int64(digits), message: field("M") ?? "")
    }

    /// Hands the bytes that `statement`, a COPY … TO STDOUT, returns to `body`, a row or more at a time. Returns the
    /// number of rows. `stallMs`: how long PostgreSQL may send nothing; that it begins comes with the first rows.
    func copy(
        from statement: String, stallMs: Int64, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) -> Int64 {
        try begin(statement, PGRES_COPY_OUT, stallMs: stallMs)
        while true {
            var bytes: UnsafeMutablePointer<CChar>?
            let count = PQgetCopyData(connection, &bytes, 1)
            if let bytes, count > 0 {
                defer { PQfreemem(bytes) }
                try body(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
            } else if count == 0 {
                let deadlineMs = SystemCalls.nowMs() + stallMs
                guard SystemCalls.wait(for: Int16(POLLIN), on: PQsocket(connection), deadlineMs: deadlineMs) else {
                    throw Failure(.timedOut, "PostgreSQL sent no rows for \(stallMs / 1_000) s")
                }
                guard PQconsumeInput(connection) == 1 else { throw lost() }
            } else {
                break
            }
        }
        var rows: Int64?
        var failure: Failure?
        while let pointer = PQgetResult(connection) {
            let result = QueryResult(pointer)
            if result.status == PGRES_COMMAND_OK { rows = result.affectedRows } else { failure = explain(pointer) }
        }
        if let failure { throw failure }
        guard let rows else { throw lost() }
        return rows
    }
}
