#if arch(x86_64)
    internal import _Builtin_intrinsics.intel

    // Products of bytes, for AVX2: see `Primitives.swift`.

    @inline(__always) private func raw(_ x: Bytes) -> __m256i { unsafeBitCast(x, to: __m256i.self) }

    /// What a product of bytes gives: sums of two, or of the four of a word where the processor adds so many at once.
    typealias Products = Shorts

    /// u8 times s8, neighbours added: 16 sums. The caller keeps them within 16 bits.
    @inline(__always) func pairs(_ codes: Bytes, _ activations: Bytes) -> Shorts {
        unsafeBitCast(_mm256_maddubs_epi16(raw(codes), raw(activations)), to: Shorts.self)
    }

    /// s8 times s8, neighbours added; activations are never -128, so their sign can be moved.
    @inline(__always) func signedPairs(_ codes: Bytes, _ activations: Bytes) -> Shorts {
        let moved = _mm256_sign_epi8(raw(activations), raw(codes))
        return unsafeBitCast(_mm256_maddubs_epi16(_mm256_abs_epi8(raw(codes)), moved), to: Shorts.self)
    }

    /// Products added to others.
    @inline(__always) func adding(_ sum: Products, _ codes: Bytes, _ activations: Bytes) -> Products {
        sum &+ pairs(codes, activations)
    }
    @inline(__always) func adding(_ sum: Products, signed codes: Bytes, _ activations: Bytes) -> Products {
        sum &+ signedPairs(codes, activations)
    }

    /// Whether tiles take signed codes as unsigned ones with 128 added.
    @inline(__always) var tilesAreUnsigned: Bool { false }

    /// How many products are added before they are widened: as many as 16 bits hold.
    @inline(__always) func tileUnit(_ unit: Int, hasScales: Bool, hasHalfScales: Bool) -> Int { unit }
#endif
