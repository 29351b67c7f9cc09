/// What a fault makes of the bytes of one connection.
struct ProxyGate {
    enum End {
        case reset
        /// Once everything that goes on was sent.
        case closed
    }

    private let ledger: ProxyLedger
    private var fault = FaultProxy.Fault.none
    private var isNoted = false
    private var leftToCut = 0
    private var swallowed: FaultProxy.Request?
    private var tail: ArraySlice<UInt8> = []
    private(set) var end: End?
    /// A request waits to be released.
    private(set) var isHolding = false

    init(_ ledger: ProxyLedger) { self.ledger = ledger }

    mutating func set(_ fault: FaultProxy.Fault) {
        self.fault = fault
        isNoted = false
        if case .cutAfter(let bytes) = fault { leftToCut = bytes }
    }

    mutating func release() { isHolding = false }

    var isSilent: Bool { fault == .blackhole }
    /// Whether it matters that bytes have come.
    var isCurious: Bool { !isSilent || !isNoted }

    var delay: Duration {
        if case .delay(let delay) = fault { delay } else { .zero }
    }
    var portion: Int {
        if case .drip(let bytes, _) = fault { bytes } else { .max }
    }
    var pause: Duration {
        if case .drip(_, let pause) = fault { pause } else { .zero }
    }

    /// Counts the fault, once for each connection.
    mutating func note() {
        guard !isNoted else { return }
        isNoted = true
        if let kind = FaultKind(of: fault) { ledger.add(kind) }
    }

    /// Bytes wait for their turn: a drip counts from its second portion on.
    mutating func noteRest() {
        if case .drip = fault { note() }
    }

    /// What goes on of bytes for the server.
    mutating func request(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard !endsByReset() else { return [] }
        if ledger.holds(bytes) {
            isHolding = true
            ledger.add(.hold)
        }
        if swallowed == nil { swallowed = ledger.takeSwallow(bytes) }
        return bytes
    }

    /// What goes on of bytes for the client.
    mutating func answer(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard !endsByReset() else { return [] }
        if let swallowed {
            tail = (tail + bytes).suffix(64)
            if swallowed.isAnswered(tail) {
                ledger.add(.swallowReply)
                end = .reset
            }
            return []
        }
        guard case .cutAfter = fault else { return bytes }
        let passed = bytes.prefix(leftToCut)
        leftToCut -= passed.count
        if leftToCut == 0 {
            ledger.add(.cutAfter)
            end = .closed
        }
        return passed
    }

    private mutating func endsByReset() -> Bool {
        if fault == .rst { end = .reset }
        switch fault {
        case .cutAfter, .drip: break
        default: note()
        }
        return end == .reset
    }
}
