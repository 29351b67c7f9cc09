/// What a ``FaultProxy`` counts.
package enum FaultKind: String, Sendable, CaseIterable {
    case blackhole, delay, drip, rst, refuse, flap, reset, hold
    case cutAfter = "cut_after"
    case swallowReply = "swallow_reply"

    /// Of a fault that works on the bytes of single connections.
    init?(of fault: FaultProxy.Fault) {
        switch fault {
        case .none, .refuse, .flap: return nil
        case .blackhole: self = .blackhole
        case .delay: self = .delay
        case .drip: self = .drip
        case .rst: self = .rst
        case .cutAfter: self = .cutAfter
        }
    }
}
