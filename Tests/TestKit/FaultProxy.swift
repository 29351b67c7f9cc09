import Glibc
import Synchronization

/// A TCP proxy on loopback that does to its connections what networks do: silence, delay, reset, half an answer.
///
/// It counts what it did to bytes and connections; a fault that was set and met nothing is not counted.
package final class FaultProxy: Sendable {
    package enum Fault: Sendable, Equatable {
        case none
        /// Both sides stay connected and nothing arrives any more. What was sent meanwhile arrives once it ends.
        case blackhole
        /// Whatever is read goes on after this.
        case delay(Duration)
        /// At most so many bytes go on in each direction, then a pause.
        case drip(bytes: Int, every: Duration)
        /// The next bytes of a connection end it by a reset, on both sides.
        case rst
        /// So many bytes of the answer go on, counted for each connection from when this is set; then it is closed.
        case cutAfter(bytes: Int)
        /// Resets the connections that there are and those that come.
        case refuse
        /// Refuses for this long, serves as long, and so on.
        case flap(every: Duration)
    }

    /// A message of the client whose answer is to get lost.
    package struct Request: Sendable {
        /// Whether bytes that just came from the client are, or hold, the message.
        package let matches: @Sendable (ArraySlice<UInt8>) -> Bool
        /// Whether the last bytes of the answer say that it is whole, and its work done.
        package let isAnswered: @Sendable (ArraySlice<UInt8>) -> Bool

        package init(
            matches: @escaping @Sendable (ArraySlice<UInt8>) -> Bool,
            isAnswered: @escaping @Sendable (ArraySlice<UInt8>) -> Bool = { !$0.isEmpty }
        ) {
            (self.matches, self.isAnswered) = (matches, isAnswered)
        }
    }

    /// The port to connect to instead of the real one.
    package let port: UInt16
    private let target: UInt16
    private let listener: Int32
    private let ledger = ProxyLedger()
    private let state = Mutex(State())

    private struct State {
        var fault = Fault.none
        /// Rises with each fault, so that the thread of an older flap ends.
        var faultNumber = 0
        var isRefusing = false
        var links: [ObjectIdentifier: ProxyLink] = [:]
        var isStopped = false
    }

    /// - Parameter target: a port on 127.0.0.1.
    package init(to target: UInt16) throws {
        self.target = target
        (listener, port) = try Loopback.listen()
        startThread { [self] in accept() }
    }

    /// For the connections that there are and those that come.
    package func set(_ fault: Fault) {
        let number = state.withLock { state in
            state.fault = fault
            state.faultNumber += 1
            state.isRefusing = fault == .refuse
            return state.faultNumber
        }
        switch fault {
        case .refuse: resetLinks(counted: .refuse)
        case .flap(let interval): startThread { [self] in flap(interval, number) }
        default: break
        }
        command(.fault(fault.onLink), \.isAny)
    }

    /// For those connections that there are whose first bytes, up to a kilobyte, contain the text: the application name
    /// of a session, for one.
    package func set(_ fault: Fault, onConnectionsOpenedWith text: String) {
        command(.fault(fault.onLink)) { $0.opened(with: Array(text.utf8)) }
    }

    /// From now on the answers to the next so many matching requests get lost, on whatever connection: the request goes
    /// on, and once its answer is there the connection is reset. Added to those that are still to be lost.
    package func swallowReplies(_ count: Int = 1, to request: Request) { ledger.swallow(count, request) }

    /// Lets all answers through again.
    package func stopSwallowing() { ledger.stopSwallowing() }

    /// From now on matching requests wait here, and with them whatever their connection sends, until released.
    package func holdRequests(_ request: Request) { ledger.hold(request) }

    /// Lets held requests go on, and holds no more.
    package func releaseRequests() {
        ledger.stopHolding()
        command(.release, \.isAny)
    }

    /// Ends every open connection by a reset, on both sides.
    package func reset() { resetLinks(counted: .reset) }

    package var connectionCount: Int { state.withLock { $0.links.count } }

    /// What was done so far: connections on which the fault met bytes, connections refused or reset, answers swallowed.
    package func injected(_ kind: FaultKind) -> Int { ledger.count(kind) }

    /// The same of all kinds; one that met nothing is absent.
    package var injections: [FaultKind: Int] { ledger.counts }

    /// Takes no more connections and resets those that there are.
    package func stop() {
        state.withLock { state in
            state.isStopped = true
            state.faultNumber += 1
        }
        // Wakes the thread that accepts; it closes the descriptor.
        _ = shutdown(listener, Int32(SHUT_RDWR))
        command(.reset, \.isAny)
    }

    // MARK: -

    private func accept() {
        while true {
            let client = Glibc.accept(listener, nil, nil)
            let (isStopped, isRefusing) = state.withLock { ($0.isStopped, $0.isRefusing) }
            if isStopped {
                if client >= 0 { close(client) }
                break
            }
            guard client >= 0 else { continue }
            _ = fcntl(client, F_SETFD, FD_CLOEXEC)
            if isRefusing { ledger.add(.refuse) }
            guard !isRefusing, let server = Loopback.connect(target) else {
                Loopback.closeWithReset(client)
                continue
            }
            start(ProxyLink(client, server, ledger))
        }
        close(listener)
    }

    private func start(_ link: ProxyLink) {
        let fault = state.withLock { state in
            state.links[ObjectIdentifier(link)] = link
            return state.fault
        }
        link.command(.fault(fault.onLink))
        startThread { [self] in
            link.run()
            _ = state.withLock { $0.links.removeValue(forKey: ObjectIdentifier(link)) }
        }
    }

    private func flap(_ interval: Duration, _ number: Int) {
        var isRefusing = true
        while (state.withLock { state in
            guard state.faultNumber == number else { return false }
            state.isRefusing = isRefusing
            return true
        }) {
            if isRefusing {
                ledger.add(.flap)
                resetLinks(counted: nil)
            }
            usleep(UInt32(interval / .microseconds(1)))
            isRefusing.toggle()
        }
    }

    private func resetLinks(counted kind: FaultKind?) {
        let count = command(.reset, \.isAny)
        if let kind { ledger.add(kind, count) }
    }

    @discardableResult
    private func command(_ command: ProxyLink.Command, _ isMeant: (ProxyLink) -> Bool) -> Int {
        let links = state.withLock { Array($0.links.values) }.filter(isMeant)
        for link in links { link.command(command) }
        return links.count
    }
}

extension FaultProxy.Fault {
    /// What a single connection has to do; refusing is done by the proxy.
    fileprivate var onLink: FaultProxy.Fault {
        switch self {
        case .refuse, .flap: .none
        default: self
        }
    }
}

extension FaultProxy.Request {
    /// Postgres: the run of a prepared statement. Its answer is whole when the server is ready for the next query, outside
    /// of a transaction: whatever the statement wrote is committed.
    package static func postgres(_ statement: String) -> Self {
        // A Bind message: its letter, its length, the portal's empty name, the statement's name.
        let name = [0] + Array(statement.utf8) + [0]
        return Self(
            matches: { bytes in
                bytes.ranges(of: name).contains {
                    $0.lowerBound - 5 >= bytes.startIndex && bytes[$0.lowerBound - 5] == 0x42
                }
            },
            // ReadyForQuery, "idle".
            isAnswered: { $0.suffix(6).elementsEqual([0x5A, 0, 0, 0, 5, 0x49]) }
        )
    }

    /// A request that contains the text. Its answer counts as whole with its first bytes.
    package static func containing(_ text: String) -> Self {
        let text = Array(text.utf8)
        return Self(matches: { $0.contains(text) })
    }
}
