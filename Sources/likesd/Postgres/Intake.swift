import CLinux
import CPostgres
import CReceive
import Glibc

/// Counts and limits what libpq reads from one connection. libpq itself keeps everything it is sent, and reads for as
/// long as something arrives.
///
/// It reads with recv(2), which is likesd's own (`CReceive`) and, within `reading`, returns no more than is allowed.
/// The rest stays in the socket, and wakes the loop again.
///
/// libpq hands out what it has read as results and notices. Bytes that these do not account for may be parameters of
/// the session: libpq keeps each of them silently, and searches all of them for each new one. So few such bytes are
/// allowed.
///
/// For an answer that ends in an error, libpq hands out the error alone, and drops the columns and rows that came
/// before it. Nobody can tell those from parameters. They are accepted for as long as the process holds no more memory
/// because of them: for a parameter, libpq takes more memory than the bytes it arrived in.
final class Intake {
    /// Bytes since the last answer ended, without notices.
    private var ofAnswer = 0
    /// Bytes of results that were handed out since.
    private var handedOut = 0
    /// Bytes of notices since.
    private var ofNotices = 0
    /// Bytes received that belong to nothing that was handed out.
    private var surplus = 0
    private var hasSurplus = false
    /// `surplus` when the last answer ended.
    private var surplusBefore = 0
    private var hasFailed = false
    /// Bytes of failed answers that libpq may have dropped, or kept, since `heldBefore` was measured.
    private var dropped = 0
    /// nil: not measured.
    private var heldBefore: Int?
    /// Bytes that the process holds.
    private let held: () -> Int
    private(set) var total = 0

    init(held: @escaping () -> Int = { bytes_held() }) {
        self.held = held
    }

    /// Bytes that one answer may have, or that may arrive without a call.
    static func bytesMax(rows: Int = 0) -> Int {
        EdgeLimits.databaseTalkBytesMax + rows * EdgeLimits.databaseRowBytesMax
    }

    /// Calls a libpq function that may read. `bytesMax`: for the present answer.
    func reading<Outcome>(_ bytesMax: Int, _ function: () -> Outcome) -> Outcome {
        // One more byte shows that there are more.
        let allowed = min(EdgeLimits.databaseReadBytes, max(0, bytesMax + 1 - ofAnswer))
        receive_limit(allowed)
        let outcome = function()
        let read = allowed - receive_left()
        receive_limit(-1)
        ofAnswer += read
        surplus += read
        total += read
        return outcome
    }

    /// Closes a connection. libpq sends a goodbye, and would read if that is not accepted at once.
    static func close(_ connection: OpaquePointer?) {
        receive_limit(0)
        PQfinish(connection)
        receive_limit(-1)
    }

    /// libpq handed out a result.
    func handOut(_ result: OpaquePointer) {
        let bytes = WireSize.of(result)
        handedOut += bytes
        surplus -= bytes
        if PQresultStatus(result) == PGRES_FATAL_ERROR { hasFailed = true }
    }

    /// libpq handed out a notice.
    func handOut(notice: OpaquePointer) {
        let bytes = WireSize.of(notice)
        ofNotices += bytes
        // libpq's own notices are longer than the bytes that caused them.
        guard PQresultErrorField(notice, PostgresField.sqlState) != nil else { return }
        ofAnswer -= bytes
        surplus -= bytes
    }

    /// An answer of at most `rows` rows to `statements` was handed out completely.
    func endAnswer(on connection: OpaquePointer, rows: Int = 0, statements: Int = 1) {
        let isEncrypted = PQsslInUse(connection) != 0 || PQgssEncInUse(connection) != 0
        endAnswer(
            besides: isEncrypted
                ? WireSize.restEncrypted + handedOut / WireSize.bytesPerByteOfEncryption
                : WireSize.rest(statements: statements),
            rows: rows)
    }

    /// `rest`: bytes of messages that are not handed out.
    func endAnswer(besides rest: Int, rows: Int) {
        surplus = max(0, surplus - rest)
        if hasFailed {
            let droppedMax = EdgeLimits.databaseColumnsBytesMax + rows * EdgeLimits.databaseRowBytesMax
            let bytes = max(0, min(surplus - surplusBefore, droppedMax))
            surplus -= bytes
            // Measuring costs more the more pieces the memory is in. So the first measurement is made at the first
            // failed answer, and already includes it.
            if heldBefore != nil { dropped += bytes } else if bytes > 0 { heldBefore = held() }
        }
        hasSurplus = surplus > EdgeLimits.databaseTalkBytesMax
        surplusBefore = surplus
        (ofAnswer, handedOut, ofNotices, hasFailed) = (0, 0, 0, false)
    }

    /// Whether libpq may have kept failed answers that it should have dropped: that many bytes arrived, and the process
    /// has grown by as much. The server may be honest. A new connection is free of them.
    func mayHaveKeptWhatFailed() -> Bool {
        guard let before = heldBefore, dropped > EdgeLimits.databaseDroppedBytesMax else { return false }
        let now = held()
        defer { (dropped, heldBefore) = (0, now) }
        return now - before >= dropped
    }

    /// More arrived than is allowed: the message about it.
    func excess(over bytesMax: Int, _ what: StaticString) -> String? {
        if ofAnswer > bytesMax { return "it sends more than \(bytesMax) bytes \(what)" }
        if ofNotices > EdgeLimits.databaseNoticeBytesMax {
            return "it sends more than \(EdgeLimits.databaseNoticeBytesMax) bytes of notices \(what)"
        }
        return hasSurplus ? "it sends more than \(EdgeLimits.databaseTalkBytesMax) bytes beside its answers" : nil
    }
}

/// Bytes of messages, as libpq read them.
private enum WireSize {
    /// In each answer: for each statement the message that parameters were bound, and that the server is ready.
    static func rest(statements: Int) -> Int { 5 * statements + 6 }
    /// The same with encryption: in TLS records or Kerberos packets, with some room …
    static let restEncrypted = 128
    /// … and, for long records, one byte per this many: 22 to 85 per 8 KiB, which PostgreSQL writes at once, depending
    /// on the cipher.
    static let bytesPerByteOfEncryption = 64

    /// The columns, rows and end of a statement's result; or an error, or a notice.
    static func of(_ result: OpaquePointer) -> Int {
        let columns = PQnfields(result)
        let rows = PQntuples(result)
        var bytes = columns > 0 ? 7 : 0
        for column in 0..<columns { bytes += 19 + length(PQfname(result, column)) }
        bytes += 7 * Int(rows)
        for row in 0..<rows {
            for column in 0..<columns { bytes += 4 + Int(PQgetlength(result, row, column)) }
        }
        let end = length(PQcmdStatus(result))
        if end > 0 { bytes += 6 + end }
        let fields = PostgresField.all.compactMap { PQresultErrorField(result, $0) }
        if !fields.isEmpty { bytes += 6 }
        for field in fields { bytes += 2 + length(field) }
        return bytes
    }

    private static func length(_ text: UnsafePointer<CChar>?) -> Int { text.map { strlen($0) } ?? 0 }
}

/// libpq has no codes for faults in a server's bytes.
enum LibpqWords {
    static func tellOfNoProtocol(_ text: String) -> Bool { faults.contains { text.contains($0) } }

    private static let faults = [
        "lost synchronization with server", "message contents do not agree with length",
        "expected authentication request from server", "unexpected response from server",
        "received invalid ", "insufficient data in ", "extraneous data in ", "unexpected field count in ",
        "without prior row description", "unexpected message from server",
    ]
}
