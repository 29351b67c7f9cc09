import CLibPQ

/// A statement behind a pooler: one transaction in one round trip (libpq, "Pipeline Mode"), its settings first. Nothing of it
/// stays on the session.
extension PGSocket {
    func sendTransaction(_ settings: Settings, _ text: String, parameters: [Parameter]) -> Bool {
        PQenterPipelineMode(connection) == 1
            && sendUnprepared("BEGIN ISOLATION LEVEL READ COMMITTED", parameters: [])
            && sendSettings(settings, isLocal: true)
            && sendUnprepared(text, parameters: parameters)
            && sendUnprepared("COMMIT", parameters: [])
            && PQpipelineSync(connection) == 1
    }

    /// The rows of the statement of a transaction; one that failed has been rolled back.
    func collectTransaction(statement: String, until deadline: ContinuousClock.Instant) throws(PostgresError) -> [Row] {
        try flush(statement, until: deadline)
        var answers: [[Row]] = []
        var failure: PostgresError?
        receiving: while true {
            guard let result = try nextResult(statement, until: deadline) else {
                guard PQstatus(connection) == CONNECTION_OK else {
                    throw .lost(statement: statement, sqlState: failure?.sqlState)
                }
                continue
            }
            switch result.status {
            case PGRES_PIPELINE_SYNC: break receiving
            case PGRES_PIPELINE_ABORTED: continue
            default: break
            }
            if let error = result.error(statement: statement) {
                if error.isConnectionLoss { throw error }
                failure = failure ?? error
            } else {
                answers.append(result.rows())
            }
        }
        guard PQexitPipelineMode(connection) == 1 else { throw .lost(statement: statement, sqlState: nil) }
        guard let failure else { return answers[2] }
        if PQtransactionStatus(connection) == PQTRANS_INERROR {
            guard sendScript("ROLLBACK") else { throw .lost(statement: statement, sqlState: failure.sqlState) }
            _ = try collectResults(statement: statement, until: deadline)
        }
        throw failure
    }
}
