/// The counter-based generator Philox4x32-10: the same bits everywhere, addressable by position.
///
/// Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. The state is the key alone: the
/// number at a position follows from seed and position, so that saving it is saving two integers.
package struct Philox: Sendable, Equatable {
    /// The key of 64 bits.
    package let seed: UInt64

    /// A generator for a seed.
    package init(seed: UInt64) { self.seed = seed }

    /// The four words of a counter block.
    package static func block(
        counter: (UInt32, UInt32, UInt32, UInt32), key: (UInt32, UInt32)
    ) -> (UInt32, UInt32, UInt32, UInt32) {
        var (c0, c1, c2, c3) = counter
        var (k0, k1) = key
        for _ in 0..<10 {
            let a = UInt64(c0) &* 0xD251_1F53
            let b = UInt64(c2) &* 0xCD9E_8D57
            (c0, c1, c2, c3) = (
                UInt32(truncatingIfNeeded: b &>> 32) ^ c1 ^ k0, UInt32(truncatingIfNeeded: b),
                UInt32(truncatingIfNeeded: a &>> 32) ^ c3 ^ k1, UInt32(truncatingIfNeeded: a)
            )
            k0 &+= 0x9E37_79B9
            k1 &+= 0xBB67_AE85
        }
        return (c0, c1, c2, c3)
    }

    /// The uniform number in [0, 1) at `index` of a stream, made of 53 bits.
    package func uniform(at index: UInt64, stream: UInt32 = 0) -> Double {
        let words = Self.block(
            counter: (UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: index &>> 32), stream, 0),
            key: (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed &>> 32)))
        let bits = UInt64(words.1) &<< 32 | UInt64(words.0)
        return Double(bits &>> 11) * 0x1p-53
    }
}
