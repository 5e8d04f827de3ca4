import CPostgres
import LikesProtocol

/// A notice from the server, apart from the results of statements.
struct ServerNotice {
    /// As the log shows it.
    let text: String
    /// The server's word for its severity, in English whatever the server's language.
    private let severity: String
    private let sqlState: String
    /// The function in the server that sent it.
    private let function: String

    /// `result`: owned by libpq.
    init(_ result: OpaquePointer) {
        func field(_ code: Int32) -> String { PQresultErrorField(result, code).map { ForeignText.shown($0) } ?? "" }
        text = PQresultErrorMessage(result).map { ForeignText.shown($0) } ?? ""
        severity = field(PostgresField.severity)
        sqlState = field(PostgresField.sqlState)
        function = field(PostgresField.function)
    }

    /// The server stopped waiting for its synchronous standby, because it was told to or is shutting down, and reports
    /// that the commit succeeded: it did, on this server alone.
    var isCancelledStandbyWait: Bool {
        severity == "WARNING" && (function == "SyncRepWaitForLSN" || sqlState == "57P01")
    }
}
