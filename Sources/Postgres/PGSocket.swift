import CLibPQ
import Glibc

/// The `PGconn` behind a ``Connection``: non-blocking libpq calls and the waits between them.
///
/// Only the connection's thread uses it (libpq, "Behavior in Threaded Programs"); it ends the session when it goes.
final class PGSocket {
    enum Readiness { case readable, writable, either }
    enum WaitResult { case ready, woken, timedOut }

    let connection: OpaquePointer
    private var notices = NoticeBox()

    /// Begins to connect; nil when libpq has no memory.
    init?(_ keywords: [(String, String)]) {
        let connection = withCStrings(keywords.map(\.0)) { names in
            withCStrings(keywords.map(\.1)) { values in PQconnectStartParams(names, values, 1) }
        }
        guard let connection else { return nil }
        self.connection = connection
        // A failed connection has no result to read the SQLSTATE from; with this verbosity its message is the code alone.
        PQsetErrorVerbosity(connection, PQERRORS_SQLSTATE)
        // It is called within calls of ours only, so never after this object.
        PQsetNoticeReceiver(
            connection,
            { itself, result in
                guard let itself, let result else { return }
                Unmanaged<PGSocket>.fromOpaque(itself).takeUnretainedValue().notices.add(result)
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        PQfinish(connection)
    }

    func finishConnecting(until deadline: ContinuousClock.Instant) throws(PostgresError) {
        guard PQstatus(connection) != CONNECTION_BAD else { throw .connect(sqlState: failureState) }
        var next = PGRES_POLLING_WRITING
        while next != PGRES_POLLING_OK {
            guard next != PGRES_POLLING_FAILED else { throw .connect(sqlState: failureState) }
            let readiness: Readiness = next == PGRES_POLLING_READING ? .readable : .writable
            guard wait(readiness, until: deadline) == .ready else { throw .connect(sqlState: nil) }
            next = PQconnectPoll(connection)
        }
        PQsetnonblocking(connection, 1)
    }

    // MARK: Sending

    func sendPrepare(name: String, text: String, types: [UInt32]) -> Bool {
        PQsendPrepare(connection, name, text, Int32(types.count), types) == 1
    }

    func sendPrepared(name: String, parameters: [Parameter]) -> Bool {
        withEncoded(parameters) { count, values, lengths, formats in
            PQsendQueryPrepared(connection, name, count, values, lengths, formats, 0) == 1
        }
    }

    func sendUnprepared(_ text: String, parameters: [Parameter]) -> Bool {
        let types = parameters.map(\.oid)
        return withEncoded(parameters) { count, values, lengths, formats in
            PQsendQueryParams(connection, text, count, types, values, lengths, formats, 0) == 1
        }
    }

    func sendScript(_ text: String) -> Bool {
        PQsendQuery(connection, text) == 1
    }

    typealias Settings = [(name: String, value: String)]

    func sendSettings(_ settings: Settings, isLocal: Bool) -> Bool {
        sendUnprepared(
            "SELECT set_config(n, v, $3) FROM unnest($1::text[], $2::text[]) AS s(n, v)",
            parameters: [.texts(settings.map(\.name)), .texts(settings.map(\.value)), .boolean(isLocal)]
        )
    }

    // MARK: Receiving

    /// Flushes what was sent and reads every result; the rows of the last one.
    func collectResults(statement: String, until deadline: ContinuousClock.Instant) throws(PostgresError) -> [Row] {
        try flush(statement, until: deadline)
        var rows: [Row] = []
        var failure: PostgresError?
        while let result = try nextResult(statement, until: deadline) {
            if let error = result.error(statement: statement) {
                // The session is over and this is why; behind it is only a broken line.
                if error.isConnectionLoss { throw error }
                failure = failure ?? error
            } else {
                rows = result.rows()
            }
        }
        guard PQstatus(connection) == CONNECTION_OK else {
            throw .lost(statement: statement, sqlState: failure?.sqlState)
        }
        if let failure { throw failure }
        return rows
    }

    /// What the server said beside its answers since this was asked last; the statement is the one that ran.
    func takeNotices(of statement: String?) -> [Notice] { notices.take(statement) }

    func consumeInput() -> Bool {
        PQconsumeInput(connection) == 1
    }

    /// The channels of the notifications that came, in their order.
    func drainNotifications() -> [String] {
        var channels: [String] = []
        while let notification = PQnotifies(connection) {
            channels.append(String(cString: notification.pointee.relname))
            PQfreemem(notification)
        }
        return channels
    }

    func wait(_ readiness: Readiness, until deadline: ContinuousClock.Instant, orWake wake: Int32 = -1) -> WaitResult {
        let events: Int32 =
            switch readiness {
            case .readable: POLLIN
            case .writable: POLLOUT
            case .either: POLLIN | POLLOUT
            }
        while true {
            var descriptors = [
                pollfd(fd: PQsocket(connection), events: Int16(events), revents: 0),
                pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
            ]
            let left = deadline - .now
            let milliseconds = max(0, min(Double(Int32.max), (left / .milliseconds(1)).rounded(.up)))
            let count = poll(&descriptors, 2, Int32(milliseconds))
            if count < 0, errno == EINTR { continue }
            if descriptors[1].revents != 0 {
                var value: UInt64 = 0
                _ = read(wake, &value, 8)
                return .woken
            }
            return count == 0 ? .timedOut : .ready
        }
    }

    func flush(_ statement: String, until deadline: ContinuousClock.Instant) throws(PostgresError) {
        while true {
            switch PQflush(connection) {
            case 0: return
            case 1:
                guard wait(.either, until: deadline) == .ready else { throw .deadline(statement: statement) }
                // A server that is itself waiting for us to read would otherwise never read from us.
                guard consumeInput() else { throw .lost(statement: statement, sqlState: nil) }
            default: throw .lost(statement: statement, sqlState: nil)
            }
        }
    }

    func nextResult(
        _ statement: String,
        until deadline: ContinuousClock.Instant
    ) throws(PostgresError) -> PGResult? {
        while PQisBusy(connection) == 1 {
            guard wait(.readable, until: deadline) == .ready else { throw .deadline(statement: statement) }
            // What came before the line broke counts: the server says there why it hangs up.
            guard consumeInput() || PQisBusy(connection) == 0 else {
                throw .lost(statement: statement, sqlState: nil)
            }
        }
        return PQgetResult(connection).map { PGResult($0) }
    }

    /// False once the server has hung up, as far as it is known here: nothing is sent to find out.
    var isAlive: Bool {
        // The first call may only bring the server's reason for hanging up, the second meets the end behind it.
        consumeInput() && consumeInput() && PQstatus(connection) == CONNECTION_OK
    }

    /// Why there is no connection: the SQLSTATE at the end of the last line of the error, such as `FATAL:  28P01`. libpq
    /// has none for a standby where a primary is needed; that is what a write would get there.
    private var failureState: SQLState? {
        if let standby = PQparameterStatus(connection, "in_hot_standby"), String(cString: standby) == "on" {
            return .readOnlyTransaction
        }
        let message = String(cString: PQerrorMessage(connection))
        guard let word = message.split(whereSeparator: \.isWhitespace).last, word.utf8.count == 5 else { return nil }
        let isCode = word.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) }
        return isCode ? SQLState(String(word)) : nil
    }
}

/// All values in one buffer, binary, with the pointers into it that libpq takes.
private func withEncoded<Result>(
    _ parameters: [Parameter],
    _ body: (Int32, [UnsafePointer<CChar>?], [Int32], [Int32]) -> Result
) -> Result {
    var buffer: [UInt8] = []
    buffer.reserveCapacity(parameters.reduce(1) { $0 + $1.encodedSize })
    var ranges: [Range<Int>?] = []
    for parameter in parameters {
        let start = buffer.count
        let hasValue = parameter.encode(into: &buffer)
        ranges.append(hasValue ? start..<buffer.count : nil)
    }
    // An empty value still needs an address, since a null pointer means NULL.
    buffer.append(0)
    return buffer.withUnsafeBufferPointer { bytes in
        bytes.withMemoryRebound(to: CChar.self) { characters in
            let values = ranges.map { range in range.map { characters.baseAddress! + $0.lowerBound } }
            let lengths = ranges.map { Int32($0?.count ?? 0) }
            let formats = [Int32](repeating: 1, count: parameters.count)
            return body(Int32(parameters.count), values, lengths, formats)
        }
    }
}

/// The strings as a null-terminated array of C strings, valid during the call.
private func withCStrings<Result>(_ strings: [String], _ body: ([UnsafePointer<CChar>?]) -> Result) -> Result {
    let copies = strings.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    return body(copies.map { UnsafePointer($0) } + [nil])
}
