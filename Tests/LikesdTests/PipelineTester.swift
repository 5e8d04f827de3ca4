import CPostgres
import LikesCore
import LikesProtocol
import LikesSettings
import LikesStorage

@testable import TestSupport
@testable import likesd

/// A connection to a standby, which sends what the daemon would send, and waits for the answer.
final class PipelineTester {
    let connection: PostgresTester
    let types: TypeNumbers
    private var parameters = StatementParameters()

    init(_ database: TestDatabase) throws {
        connection = try database.connect()
        let rows = try connection.run(Schema.selectItemTypes)
        types = TypeNumbers(types: .standard, rows: rows.compactMap { row in Int16(row[0]).map { ($0, row[1]) } })
        try connection.run(ConnectionSetup.sessionText(Configuration()))
        for statement in PreparedStatement.ofStandby {
            guard let raw = PQprepare(connection.connection, statement.rawValue, statement.text, 0, nil) else {
                throw Failure(text: "no result")
            }
            let result = StatementResult(raw)
            if result.status != PGRES_COMMAND_OK { throw Failure(text: "\(statement): \(result.message)") }
        }
        if PQenterPipelineMode(connection.connection) != 1 { throw Failure(text: "no pipeline mode") }
    }

    func ask(_ call: StandbyCall) throws -> StandbyCall {
        var call = call
        var statements = call.statements[...]
        for statement in statements { try send(statement, of: call) }
        try sync()
        try collect { result throws(Misfit) in
            guard let statement = statements.popFirst() else { throw Misfit("more results than statements") }
            try call.take(result, of: statement, types: types)
        }
        if !statements.isEmpty { throw Failure(text: "fewer results than statements") }
        return call
    }

    func send(_ statement: PreparedStatement, of call: StandbyCall) throws {
        parameters.reset()
        call.write(statement, to: &parameters, types: types)
        let status = parameters.withPointers { count, values, lengths in
            let binary = [Int32](repeating: 1, count: Int(count))
            return PQsendQueryPrepared(connection.connection, statement.rawValue, count, values, lengths, binary, 1)
        }
        if status == 0 { throw Failure(text: "not sent: \(statement)") }
    }

    func send(_ text: String) throws {
        if PQsendQueryParams(connection.connection, text, 0, nil, nil, nil, nil, 1) == 0 {
            throw Failure(text: "not sent: \(text)")
        }
    }

    func sync() throws {
        if PQpipelineSync(connection.connection) != 1 { throw Failure(text: "no end of the call") }
    }

    /// Takes all results up to the end of the call.
    func collect(_ take: (borrowing StatementResult) throws(Misfit) -> Void) throws {
        while true {
            // A null ends one statement's results.
            guard let raw = PQgetResult(connection.connection) else { continue }
            let result = StatementResult(raw)
            if result.status == PGRES_PIPELINE_SYNC { return }
            guard result.status == PGRES_TUPLES_OK else { throw Failure(text: result.message) }
            try take(result)
        }
    }
}
