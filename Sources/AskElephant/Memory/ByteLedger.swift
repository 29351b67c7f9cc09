/// Who holds how many bytes of a budget, and who waits for some. A value without locks or tasks, so that every order
/// of events can be tested.
///
/// Never more than `total + largest` bytes are held: whoever takes must find as much free, except for one holder, the
/// oversize one, which may take up to `largest` whatever is free. It stays the only one until the sum is back within
/// the total. It never waits, so there is no deadlock as long as held bytes are given back in the end.
struct ByteLedger {
    typealias Holder = UInt64

    /// What a request takes before it is sent.
    let entry: Int
    /// The most that one holder may have.
    let largest: Int
    /// Negative while the oversize holder has more than was free.
    private(set) var free: Int
    private(set) var held: [Holder: Int] = [:]
    private var oversize: Holder?
    private var entering: [Holder] = []
    private var growing: [(holder: Holder, bytes: Int)] = []

    init(total: Int, entry: Int, largest: Int) {
        precondition(entry > 0 && entry <= largest && entry <= total, "a budget must admit one request")
        self.entry = entry
        self.largest = largest
        free = total
    }

    var isIdle: Bool { held.isEmpty && entering.isEmpty && growing.isEmpty }
    var waiting: Int { entering.count + growing.count }
    /// Whether ``enter(_:)`` would not wait.
    var admitsAtOnce: Bool { waiting == 0 && entry <= free }

    /// Takes the entry; false when `holder` has to wait until a later change names it. Those who come later, and those
    /// who want to enter, wait behind those whose body already arrives.
    mutating func enter(_ holder: Holder) -> Bool {
        guard admitsAtOnce else {
            entering.append(holder)
            return false
        }
        take(entry, holder)
        return true
    }

    /// Has `holder` hold at least `bytes`; false when it has to wait until a later change names it.
    mutating func grow(_ holder: Holder, to bytes: Int) -> Bool {
        precondition(bytes <= largest, "the limit of a body is checked before its memory is asked for")
        let missing = bytes - held[holder, default: 0]
        guard missing > 0 else { return true }
        guard takeIfAllowed(missing, holder, isFirst: growing.isEmpty) else {
            growing.append((holder, bytes))
            return false
        }
        return true
    }

    /// Has `holder` hold at most `bytes`. Returns those who need not wait any more.
    mutating func shrink(_ holder: Holder, to bytes: Int) -> [Holder] {
        guard let now = held[holder], bytes < now else { return [] }
        held[holder] = bytes
        free += now - bytes
        return serve()
    }

    /// Forgets `holder`, also where it waits. Returns those who need not wait any more.
    mutating func leave(_ holder: Holder) -> [Holder] {
        free += held.removeValue(forKey: holder) ?? 0
        entering.removeAll { $0 == holder }
        growing.removeAll { $0.holder == holder }
        return serve()
    }

    /// Has `holder` wait for nothing; it keeps what it holds. Returns those who need not wait any more.
    mutating func stopWaiting(_ holder: Holder) -> [Holder] {
        entering.removeAll { $0 == holder }
        growing.removeAll { $0.holder == holder }
        return serve()
    }

    private mutating func takeIfAllowed(_ bytes: Int, _ holder: Holder, isFirst: Bool) -> Bool {
        if oversize == holder || (isFirst && bytes <= free) {
            take(bytes, holder)
            return true
        }
        guard isFirst, oversize == nil else { return false }
        oversize = holder
        take(bytes, holder)
        return true
    }

    private mutating func take(_ bytes: Int, _ holder: Holder) {
        held[holder, default: 0] += bytes
        free -= bytes
    }

    private mutating func serve() -> [Holder] {
        if free >= 0 { oversize = nil }
        var served: [Holder] = []
        while let (holder, bytes) = growing.first {
            guard takeIfAllowed(bytes - held[holder, default: 0], holder, isFirst: true) else { return served }
            served.append(growing.removeFirst().holder)
        }
        while let holder = entering.first, entry <= free {
            take(entry, holder)
            served.append(entering.removeFirst())
        }
        return served
    }
}
