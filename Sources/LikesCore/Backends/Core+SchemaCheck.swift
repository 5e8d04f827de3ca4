// Whether the tables still are as they have to be. Each new connection has looked before it is used.
extension Core {
    /// On the lane, so that no batch is on the wire when the answer ends the connection.
    mutating func checkSchema(_ turn: inout Turn) -> Bool {
        guard laneRow.checkSchemaAt <= turn.now else { return false }
        laneRow.schemaChecked(now: turn.now)
        turn.append(.checkSchema(calls.begin(.checkSchema, now: turn.now)))
        return true
    }

    /// `failure`: why the tables can't be used as they are. The connections are made anew until they can be.
    package mutating func schemaChecked(
        _ call: CallID, _ failure: BackendFailure?, _ turn: inout Turn
    ) {
        guard case .checkSchema? = calls.end(call), let failure else { return }
        giveUpDatabase(failure, &turn)
    }
}
