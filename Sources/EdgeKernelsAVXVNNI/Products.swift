#if arch(x86_64)
    internal import _Builtin_intrinsics.intel

    // Products of bytes, for AVX-VNNI: the four of a word are multiplied and added to a sum of 32 bits by one instruction, which
    // takes unsigned bytes by signed ones and never saturates. For what the functions mean see `EdgeKernelsAVX2`.

    @inline(__always) private func raw<T>(_ x: T) -> __m256i { unsafeBitCast(x, to: __m256i.self) }

    /// What a product of bytes gives: sums of two, or of the four of a word where the processor adds so many at once.
    typealias Products = Words

    /// u8 times s8, the four of each word added.
    @inline(__always) func pairs(_ codes: Bytes, _ activations: Bytes) -> Products {
        adding(Products(), codes, activations)
    }

    /// s8 times s8, the four of each word added; activations are never -128, so their sign can be moved.
    @inline(__always) func signedPairs(_ codes: Bytes, _ activations: Bytes) -> Products {
        adding(Products(), signed: codes, activations)
    }

    /// Products added to others.
    @inline(__always) func adding(_ sum: Products, _ codes: Bytes, _ activations: Bytes) -> Products {
        unsafeBitCast(_mm256_dpbusd_avx_epi32(raw(sum), raw(codes), raw(activations)), to: Words.self)
    }
    @inline(__always) func adding(_ sum: Products, signed codes: Bytes, _ activations: Bytes) -> Products {
        let moved = unsafeBitCast(_mm256_sign_epi8(raw(activations), raw(codes)), to: Bytes.self)
        return adding(sum, unsafeBitCast(_mm256_abs_epi8(raw(codes)), to: Bytes.self), moved)
    }

    /// Words times scales, which come twice in each word.
    @inline(__always) func widen(_ x: Words, _ scales: Shorts) -> Words {
        let scales = (unsafeBitCast(scales, to: Words.self) &<< 16) &>> 16
        return unsafeBitCast(_mm256_mullo_epi32(raw(x), raw(scales)), to: Words.self)
    }

    /// Whether tiles take signed codes as unsigned ones with 128 added.
    @inline(__always) var tilesAreUnsigned: Bool { true }

    /// How many products are added before their scale comes: all that share one, since sums of 32 bits hold them.
    @inline(__always) func tileUnit(_ unit: Int, hasScales: Bool, hasHalfScales: Bool) -> Int {
        hasScales ? (hasHalfScales ? 4 : 8) : max(8, unit)
    }
#endif
