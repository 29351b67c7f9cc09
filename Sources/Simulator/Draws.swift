/// Independent streams of random numbers that all follow from one hash.
///
/// Adding a draw to one stream leaves all the others as they are.
struct Draws: Sendable {
    enum Salt: UInt64 {
        case contact = 1
        case company, user, tag, content, firstName, title, crm, kind, unfinished, times, texts, people,
            media
        case transcript, actionItems, signals, shape, failed
    }

    let base: UInt64

    /// `epoch` is a version, or a version divided by how many versions a value should last.
    func stream(_ salt: Salt, epoch: Int = 0, slot: Int = 0) -> SplitMix64 {
        let point = salt.rawValue &* 0xD6E8_FEB8_6659_FD93 &+ UInt64(epoch) &* 0xA076_1D64_78BD_642F
        return SplitMix64(
            seed: SplitMix64.mixed(
                base ^ SplitMix64.mixed(point &+ UInt64(slot) &* 0xE703_7ED1_A0B4_28DB)))
    }

    func number(_ salt: Salt, below bound: Int) -> Int {
        var random = stream(salt)
        return random.below(bound)
    }

    func pick<Element>(_ salt: Salt, _ values: [Element]) -> Element {
        values[number(salt, below: values.count)]
    }
}
