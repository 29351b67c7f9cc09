/// SplitMix64 (Steele, Lea, Flood 2014): tiny, and the same on every platform and in every run.
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) {
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mixed(state)
    }

    /// A number from 0 up to, not including, `bound`. The tiny modulo bias does not matter for made-up data.
    package mutating func below(_ bound: Int) -> Int {
        precondition(bound > 0, "a bound must be positive")
        return Int(next() % UInt64(bound))
    }

    package mutating func within(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + below(range.upperBound - range.lowerBound + 1)
    }

    package mutating func chance(percent: Int) -> Bool {
        below(100) < percent
    }

    package mutating func pick<Element>(_ values: [Element]) -> Element {
        values[below(values.count)]
    }

    /// The finaliser alone: spreads every bit of the input over the whole output.
    package static func mixed(_ input: UInt64) -> UInt64 {
        var bits = input
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }
}

/// A hash that is the same in every process, unlike Swift's `Hasher`.
///
/// In the manner of FNV-1a, but eight bytes a step and with a shift that carries high bits down again.
package enum StableHash {
    package static func of(_ text: String, seed: UInt64 = 0) -> UInt64 {
        var text = text
        return text.withUTF8 { of(UnsafeRawBufferPointer($0), seed: seed) }
    }

    package static func of(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
        var hash = 0xCBF2_9CE4_8422_2325 ^ SplitMix64.mixed(seed)
        var offset = 0
        while offset + 8 <= bytes.count {
            hash = step(hash, bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        while offset < bytes.count {
            hash = step(hash, UInt64(bytes[offset]))
            offset += 1
        }
        return SplitMix64.mixed(hash ^ UInt64(bytes.count))
    }

    private static func step(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        let product = (hash ^ word) &* 0x0000_0100_0000_01B3
        return product ^ (product >> 32)
    }
}

/// Identifiers that look like the vendor's: a prefix and 26 characters of Crockford's base 32.
enum Identifier {
    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

    static func make(_ prefix: String, _ hash: UInt64) -> String {
        var low = hash
        var high = SplitMix64.mixed(hash)
        var characters: [UInt8] = [0x30, 0x31]
        characters.reserveCapacity(26)
        for position in 0..<24 {
            let word = position < 12 ? high : low
            characters.append(alphabet[Int(word & 31)])
            if position < 12 { high >>= 5 } else { low >>= 5 }
        }
        return prefix + String(decoding: characters, as: UTF8.self)
    }

    /// Contract section 4: `^ngmt_[A-Za-z0-9]+$`.
    static func isEngagement(_ text: some StringProtocol) -> Bool {
        let bytes = text.utf8
        guard text.hasPrefix("ngmt_"), bytes.count > 5 else { return false }
        return bytes.dropFirst(5).allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        }
    }
}
