#if arch(x86_64)
    internal import _Builtin_intrinsics.intel

    // The operations that the shared text of the kernels is written in, for AVX2. Each does what the function of the same name in
    // EdgeKernelsPortable does, bit for bit. Conversions between vectors of different element types go through intrinsics and
    // not through generic initialisers: those would be emitted here as weak symbols with AVX2 instructions, and the linker
    // might keep them for the whole program.

    /// 256 bits, as the instruction set's header types them.
    @inline(__always) private func raw<T>(_ x: T) -> __m256i { unsafeBitCast(x, to: __m256i.self) }

    /// 32 times the same byte.
    @inline(__always) func bytes(_ x: UInt8) -> Bytes {
        unsafeBitCast(SIMD8<UInt32>(repeating: UInt32(x) &* 0x0101_0101), to: Bytes.self)
    }

    /// The bits that `mask` has too, in each byte.
    @inline(__always) func masked(_ x: Bytes, _ mask: UInt8) -> Bytes {
        unsafeBitCast(_mm256_and_si256(raw(x), raw(bytes(mask))), to: Bytes.self)
    }

    /// Each byte moved down by `shift` bits, then masked; the mask must clear what came from the neighbour.
    @inline(__always) func shifted(_ x: Bytes, right shift: Int, mask: UInt8) -> Bytes {
        let moved = _mm256_srli_epi32(raw(x), Int32(truncatingIfNeeded: shift))
        return unsafeBitCast(_mm256_and_si256(moved, raw(bytes(mask))), to: Bytes.self)
    }

    /// Likewise up.
    @inline(__always) func shifted(_ x: Bytes, left shift: Int, mask: UInt8) -> Bytes {
        let moved = _mm256_slli_epi32(raw(x), Int32(truncatingIfNeeded: shift))
        return unsafeBitCast(_mm256_and_si256(moved, raw(bytes(mask))), to: Bytes.self)
    }

    @inline(__always) func union(_ x: Bytes, _ y: Bytes) -> Bytes {
        unsafeBitCast(_mm256_or_si256(raw(x), raw(y)), to: Bytes.self)
    }

    /// s16 times s16, neighbours added: 8 sums.
    @inline(__always) func widen(_ x: Shorts, _ factors: Shorts) -> Words {
        unsafeBitCast(_mm256_madd_epi16(raw(x), raw(factors)), to: Words.self)
    }

    /// Both 16-byte halves the same 16 bytes.
    @inline(__always) func loadTwice(_ p: UnsafeRawPointer) -> Bytes {
        unsafeBitCast(_mm256_broadcastsi128_si256(p.loadUnaligned(as: __m128i.self)), to: Bytes.self)
    }

    /// 16 bytes as 32 nibbles: the low ones, then the high ones.
    @inline(__always) func nibbles(_ p: UnsafeRawPointer) -> Bytes {
        let shifted = _mm256_srlv_epi32(raw(loadTwice(p)), raw(SIMD8<UInt32>(0, 0, 0, 0, 4, 4, 4, 4)))
        return masked(unsafeBitCast(shifted, to: Bytes.self), 15)
    }

    /// The bits of a word as bytes, `value` where a bit is set.
    @inline(__always) func spreadBits(_ word: UInt32, value: UInt8) -> Bytes {
        let all = raw(SIMD8<UInt32>(repeating: word))
        let byte = SIMD32<UInt8>(
            0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3)
        let bit = raw(SIMD4<UInt64>(repeating: 0x8040_2010_0804_0201))
        let spread = _mm256_and_si256(_mm256_shuffle_epi8(all, raw(byte)), bit)
        return masked(unsafeBitCast(_mm256_cmpeq_epi8(spread, bit), to: Bytes.self), value)
    }

    /// Bytes replaced by the table's entries; codes are below 16.
    @inline(__always) func lookUp(_ table: SIMD16<Int8>, _ codes: Bytes) -> Bytes {
        let both = _mm256_broadcastsi128_si256(unsafeBitCast(table, to: __m128i.self))
        return unsafeBitCast(_mm256_shuffle_epi8(both, raw(codes)), to: Bytes.self)
    }

    /// 16 signed bytes as shorts.
    @inline(__always) func shorts(_ x: SIMD16<Int8>) -> Shorts {
        unsafeBitCast(_mm256_cvtepi8_epi16(unsafeBitCast(x, to: __m128i.self)), to: Shorts.self)
    }

    /// 16 unsigned bytes, shifted and masked, as shorts.
    @inline(__always) func shorts(_ x: SIMD2<UInt64>, right shift: Int, mask: UInt8) -> Shorts {
        let moved = _mm_srli_epi32(unsafeBitCast(x, to: __m128i.self), Int32(truncatingIfNeeded: shift))
        let mask = unsafeBitCast(SIMD4<UInt32>(repeating: UInt32(mask) &* 0x0101_0101), to: __m128i.self)
        return unsafeBitCast(_mm256_cvtepu8_epi16(_mm_and_si128(moved, mask)), to: Shorts.self)
    }

    /// Eight bytes, each twice, as shorts.
    @inline(__always) func shorts(twice x: UInt64) -> Shorts {
        let x = unsafeBitCast(SIMD2<UInt64>(x, 0), to: __m128i.self)
        return unsafeBitCast(_mm256_cvtepu8_epi16(_mm_unpacklo_epi8(x, x)), to: Shorts.self)
    }

    /// The base-3 digits that lead the fractions `x * power`: bytes times the power of their pair, times 3, the overflow.
    @inline(__always) func trits(_ x: Bytes, _ powers: SIMD16<UInt16>) -> Bytes {
        let low = raw(SIMD16<UInt16>(repeating: 0xFF))
        let three = raw(SIMD16<UInt16>(repeating: 3))
        let even = _mm256_and_si256(_mm256_mullo_epi16(_mm256_and_si256(raw(x), low), raw(powers)), low)
        let odd = _mm256_and_si256(_mm256_mullo_epi16(_mm256_srli_epi16(raw(x), 8), raw(powers)), low)
        let evenDigit = _mm256_srli_epi16(_mm256_mullo_epi16(even, three), 8)
        let oddDigit = _mm256_andnot_si256(low, _mm256_mullo_epi16(odd, three))
        return unsafeBitCast(_mm256_or_si256(evenDigit, oddDigit), to: Bytes.self)
    }

    /// Scales 0, 2, …, 14, then 1, 3, …, 15: the order that `scale(_:group:)` picks from.
    @inline(__always) func evenOdd(_ x: Shorts) -> Shorts {
        // Within each half evens to the low and odds to the high eight bytes, then those quarters to their places.
        let order = SIMD32<UInt8>(
            0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15, 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15)
        let halves = _mm256_shuffle_epi8(raw(x), raw(order))
        return unsafeBitCast(
            _mm256_permutevar8x32_epi32(halves, raw(SIMD8<UInt32>(0, 1, 4, 5, 2, 3, 6, 7))), to: Shorts.self)
    }

    /// The two scales of a group of 32 values, each for the eight sums of its 16 values.
    @inline(__always) func scale(_ evenOdd: Shorts, group: Int) -> Shorts {
        let pick = SIMD16<UInt16>(repeating: 0x0100 &+ 0x0202 &* UInt16(truncatingIfNeeded: group))
        return unsafeBitCast(_mm256_shuffle_epi8(raw(evenOdd), raw(pick)), to: Shorts.self)
    }

    @inline(__always) func floats(_ x: Words) -> Floats {
        _mm256_cvtepi32_ps(raw(x))
    }

    /// a * b + c, rounded once.
    @inline(__always) func multiplyAdd(_ a: Floats, _ b: Floats, _ c: Floats) -> Floats { _mm256_fmadd_ps(a, b, c) }
    @inline(__always) func multiplyAdd(_ a: Float, _ b: Float, _ c: Float) -> Float { c.addingProduct(a, b) }

    /// Eight halves.
    @inline(__always) func floats(halves x: SIMD8<UInt16>) -> Floats {
        _mm256_cvtph_ps(unsafeBitCast(x, to: __m128i.self))
    }

    /// Eight u16, extended.
    @inline(__always) func words(_ x: SIMD8<UInt16>) -> SIMD8<UInt32> {
        unsafeBitCast(_mm256_cvtepu16_epi32(unsafeBitCast(x, to: __m128i.self)), to: SIMD8<UInt32>.self)
    }

    /// The low halves of eight words that are below 2^16.
    @inline(__always) func narrowed(_ x: Words) -> SIMD8<UInt16> {
        let x = raw(x)
        let halves = unsafeBitCast(x, to: (__m128i, __m128i).self)
        return unsafeBitCast(_mm_packus_epi32(halves.0, halves.1), to: SIMD8<UInt16>.self)
    }

    /// Rounds to the nearest integer, ties to even; |x| is below 2^31.
    @inline(__always) func rounded(_ x: Floats) -> Words {
        unsafeBitCast(_mm256_cvtps_epi32(x), to: Words.self)
    }

    @inline(__always) private func unpackLow32(_ a: __m256i, _ b: __m256i) -> __m256i { _mm256_unpacklo_epi32(a, b) }
    @inline(__always) private func unpackHigh32(_ a: __m256i, _ b: __m256i) -> __m256i { _mm256_unpackhi_epi32(a, b) }
    @inline(__always) private func unpackLow64(_ a: __m256i, _ b: __m256i) -> __m256i { _mm256_unpacklo_epi64(a, b) }
    @inline(__always) private func unpackHigh64(_ a: __m256i, _ b: __m256i) -> __m256i { _mm256_unpackhi_epi64(a, b) }
    @inline(__always) private func lows(_ a: __m256i, _ b: __m256i) -> __m256i {
        let x = unsafeBitCast(a, to: SIMD4<UInt64>.self)
        let y = unsafeBitCast(b, to: SIMD4<UInt64>.self)
        return raw(SIMD4<UInt64>(x[0], x[1], y[0], y[1]))
    }
    @inline(__always) private func highs(_ a: __m256i, _ b: __m256i) -> __m256i {
        let x = unsafeBitCast(a, to: SIMD4<UInt64>.self)
        let y = unsafeBitCast(b, to: SIMD4<UInt64>.self)
        return raw(SIMD4<UInt64>(x[2], x[3], y[2], y[3]))
    }

    /// Lane r of the result is the sum of all lanes of `rows.r`.
    @inline(__always) func sums(_ rows: EightWords) -> Words {
        let a = unpackAdd(unpackAdd(raw(rows.0), raw(rows.1)), unpackAdd(raw(rows.2), raw(rows.3)))
        let b = unpackAdd(unpackAdd(raw(rows.4), raw(rows.5)), unpackAdd(raw(rows.6), raw(rows.7)))
        return unsafeBitCast(_mm256_add_epi32(lows(a, b), highs(a, b)), to: Words.self)

        func unpackAdd(_ a: __m256i, _ b: __m256i) -> __m256i { _mm256_hadd_epi32(a, b) }
    }

    /// The same for shorts whose total fits 16 bits.
    @inline(__always) func sums(_ rows: EightShorts) -> Words {
        func four(_ a: __m256i, _ b: __m256i, _ c: __m256i, _ d: __m256i) -> __m256i {
            let ab = _mm256_add_epi16(unpackLow32(a, b), unpackHigh32(a, b))
            let cd = _mm256_add_epi16(unpackLow32(c, d), unpackHigh32(c, d))
            return _mm256_add_epi16(unpackLow64(ab, cd), unpackHigh64(ab, cd))
        }
        let a = four(raw(rows.0), raw(rows.1), raw(rows.2), raw(rows.3))
        let b = four(raw(rows.4), raw(rows.5), raw(rows.6), raw(rows.7))
        let total = unsafeBitCast(_mm256_add_epi16(lows(a, b), highs(a, b)), to: Shorts.self)
        return widen(total, Shorts(repeating: 1))
    }

    /// Turns eight rows of eight words into eight columns.
    @inline(__always) func transposed(_ r: EightWords) -> EightWords {
        let a0 = unpackLow32(raw(r.0), raw(r.1))
        let a1 = unpackHigh32(raw(r.0), raw(r.1))
        let a2 = unpackLow32(raw(r.2), raw(r.3))
        let a3 = unpackHigh32(raw(r.2), raw(r.3))
        let a4 = unpackLow32(raw(r.4), raw(r.5))
        let a5 = unpackHigh32(raw(r.4), raw(r.5))
        let a6 = unpackLow32(raw(r.6), raw(r.7))
        let a7 = unpackHigh32(raw(r.6), raw(r.7))
        let b0 = unpackLow64(a0, a2)
        let b1 = unpackHigh64(a0, a2)
        let b2 = unpackLow64(a1, a3)
        let b3 = unpackHigh64(a1, a3)
        let b4 = unpackLow64(a4, a6)
        let b5 = unpackHigh64(a4, a6)
        let b6 = unpackLow64(a5, a7)
        let b7 = unpackHigh64(a5, a7)
        return (
            unsafeBitCast(lows(b0, b4), to: Words.self), unsafeBitCast(lows(b1, b5), to: Words.self),
            unsafeBitCast(lows(b2, b6), to: Words.self), unsafeBitCast(lows(b3, b7), to: Words.self),
            unsafeBitCast(highs(b0, b4), to: Words.self), unsafeBitCast(highs(b1, b5), to: Words.self),
            unsafeBitCast(highs(b2, b6), to: Words.self), unsafeBitCast(highs(b3, b7), to: Words.self)
        )
    }
#endif
