import Foundation

/// The seed of a test that draws what it does: `TEST_SEED` of the environment, else a random one.
package enum TruthSeed {
    /// Prints the seed, with which the run can be had again.
    package static func draw(_ test: String) -> UInt64 {
        let given = ProcessInfo.processInfo.environment["TEST_SEED"].flatMap(UInt64.init)
        let seed = given ?? UInt64.random(in: 0...999_999_999)
        print("\(test): TEST_SEED=\(seed)")
        return seed
    }
}

/// SplitMix64: the same numbers from the same seed everywhere.
package struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
