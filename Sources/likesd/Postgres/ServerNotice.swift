import CPostgres
import LikesProtocol

/// A notice of the server's, beside the results of statements.
struct ServerNotice {
    /// As the log has it.
    let text: String
    /// The server's word for how grave it is, in English whatever its language.
    private let severity: String
    private let sqlState: String
    /// The function in the server that sent it.
    private let function: String

    /// `result`: libpq's, which keeps it.
    init(_ result: OpaquePointer) {
        func field(_ code: Int32) -> String { PQresultErrorField(result, code).map { ForeignText.shown($0) } ?? "" }
        text = PQresultErrorMessage(result).map { ForeignText.shown($0) } ?? ""
        severity = field(PostgresField.severity)
        sqlState = field(PostgresField.sqlState)
        function = field(PostgresField.function)
    }

    /// The server stopped waiting for its synchronous standby, told to or because it shuts down, and says of the commit
    /// that it succeeded: it did, on this server alone.
    var isCancelledStandbyWait: Bool {
        severity == "WARNING" && (function == "SyncRepWaitForLSN" || sqlState == "57P01")
    }
}
