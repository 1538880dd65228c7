#if arch(arm64)
    internal import _Builtin_intrinsics.arm.neon

    // The operations that the shared text of the kernels is written in, for NEON. Each does what the function of the same name in
    // EdgeKernelsPortable does, bit for bit. The text's vectors are 256 bits wide, so an operation works on two registers: it
    // takes a vector apart into halves by a bit cast, and puts the result together the same way. Vectors change their element
    // type through intrinsics and bit casts and not through generic initialisers: those would be emitted here as weak symbols
    // with instructions that not every Arm processor has, and the linker might keep them for the whole program.

    private typealias TwoBytes = (low: uint8x16_t, high: uint8x16_t)
    private typealias TwoShorts = (low: int16x8_t, high: int16x8_t)
    private typealias TwoWords = (low: int32x4_t, high: int32x4_t)
    private typealias TwoUnsignedWords = (low: uint32x4_t, high: uint32x4_t)
    private typealias TwoFloats = (low: float32x4_t, high: float32x4_t)

    @inline(__always) private func halves(_ x: Bytes) -> TwoBytes { unsafeBitCast(x, to: TwoBytes.self) }
    @inline(__always) private func halves(_ x: Shorts) -> TwoShorts { unsafeBitCast(x, to: TwoShorts.self) }
    @inline(__always) private func halves(_ x: Words) -> TwoWords { unsafeBitCast(x, to: TwoWords.self) }
    @inline(__always) private func joined(_ low: uint8x16_t, _ high: uint8x16_t) -> Bytes {
        unsafeBitCast((low, high), to: Bytes.self)
    }
    @inline(__always) private func joined(_ low: int16x8_t, _ high: int16x8_t) -> Shorts {
        unsafeBitCast((low, high), to: Shorts.self)
    }
    @inline(__always) private func joined(_ low: int32x4_t, _ high: int32x4_t) -> Words {
        unsafeBitCast((low, high), to: Words.self)
    }
    @inline(__always) private func signed(_ x: uint8x16_t) -> int8x16_t { unsafeBitCast(x, to: int8x16_t.self) }

    /// Moved down by `shift` bits, or up by `-shift`: the instruction for shifts that vary takes the count as an operand, and
    /// becomes the one for constants where the count is known.
    @inline(__always) private func moved(_ x: uint8x16_t, right shift: Int) -> uint8x16_t {
        vshlq_u8(x, vdupq_n_s8(Int8(truncatingIfNeeded: 0 &- shift)))
    }

    /// 32 times the same byte.
    @inline(__always) func bytes(_ x: UInt8) -> Bytes { joined(vdupq_n_u8(x), vdupq_n_u8(x)) }

    /// The bits that `mask` has too, in each byte.
    @inline(__always) func masked(_ x: Bytes, _ mask: UInt8) -> Bytes {
        let x = halves(x)
        return joined(vandq_u8(x.low, vdupq_n_u8(mask)), vandq_u8(x.high, vdupq_n_u8(mask)))
    }

    /// Each byte moved down by `shift` bits, then masked.
    @inline(__always) func shifted(_ x: Bytes, right shift: Int, mask: UInt8) -> Bytes {
        let x = halves(x)
        return masked(joined(moved(x.low, right: shift), moved(x.high, right: shift)), mask)
    }

    /// Likewise up.
    @inline(__always) func shifted(_ x: Bytes, left shift: Int, mask: UInt8) -> Bytes {
        shifted(x, right: 0 &- shift, mask: mask)
    }

    @inline(__always) func union(_ x: Bytes, _ y: Bytes) -> Bytes {
        let x = halves(x)
        let y = halves(y)
        return joined(vorrq_u8(x.low, y.low), vorrq_u8(x.high, y.high))
    }

    /// What a product of bytes gives: sums of two, or of the four of a word where the processor adds so many at once.
    typealias Products = Words

    /// u8 times s8, the four of each word added. Codes are below 128, so they may be taken as signed too.
    @inline(__always) func pairs(_ codes: Bytes, _ activations: Bytes) -> Products { signedPairs(codes, activations) }

    /// s8 times s8, the four of each word added; added to another sum this is one instruction.
    @inline(__always) func signedPairs(_ codes: Bytes, _ activations: Bytes) -> Products {
        let c = halves(codes)
        let a = halves(activations)
        let zero = vdupq_n_s32(0)
        return joined(
            vdotq_s32(zero, signed(c.low), signed(a.low)), vdotq_s32(zero, signed(c.high), signed(a.high)))
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

    /// How many products are added before their scale comes: all that share one, since sums of 32 bits hold them.
    @inline(__always) func tileUnit(_ unit: Int, hasScales: Bool, hasHalfScales: Bool) -> Int {
        hasScales ? (hasHalfScales ? 4 : 8) : max(8, unit)
    }

    /// Words times scales, which come twice in each word.
    @inline(__always) func widen(_ x: Words, _ scales: Shorts) -> Words {
        let x = halves(x)
        let scales = halves((unsafeBitCast(scales, to: Words.self) &<< 16) &>> 16)
        return joined(vmulq_s32(x.low, scales.low), vmulq_s32(x.high, scales.high))
    }

    /// s16 times s16, neighbours added: 8 sums.
    @inline(__always) func widen(_ x: Shorts, _ factors: Shorts) -> Words {
        @inline(__always) func four(_ x: int16x8_t, _ y: int16x8_t) -> int32x4_t {
            vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y))
        }
        let x = halves(x)
        let y = halves(factors)
        return joined(four(x.low, y.low), four(x.high, y.high))
    }

    /// Both 16-byte halves the same 16 bytes.
    @inline(__always) func loadTwice(_ p: UnsafeRawPointer) -> Bytes {
        let x = p.loadUnaligned(as: uint8x16_t.self)
        return joined(x, x)
    }

    /// 16 bytes as 32 nibbles: the low ones, then the high ones.
    @inline(__always) func nibbles(_ p: UnsafeRawPointer) -> Bytes {
        let x = p.loadUnaligned(as: uint8x16_t.self)
        return joined(vandq_u8(x, vdupq_n_u8(15)), moved(x, right: 4))
    }

    /// The bits of a word as bytes, `value` where a bit is set.
    @inline(__always) func spreadBits(_ word: UInt32, value: UInt8) -> Bytes {
        let all = unsafeBitCast(vdupq_n_u32(word), to: uint8x16_t.self)
        let bit = unsafeBitCast(vdupq_n_u64(0x8040_2010_0804_0201), to: uint8x16_t.self)
        let first = uint8x16_t(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1)
        let second = uint8x16_t(2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3)
        return masked(joined(vtstq_u8(vqtbl1q_u8(all, first), bit), vtstq_u8(vqtbl1q_u8(all, second), bit)), value)
    }

    /// Bytes replaced by the table's entries; codes are below 16.
    @inline(__always) func lookUp(_ table: SIMD16<Int8>, _ codes: Bytes) -> Bytes {
        let table = unsafeBitCast(table, to: uint8x16_t.self)
        let codes = halves(codes)
        return joined(vqtbl1q_u8(table, codes.low), vqtbl1q_u8(table, codes.high))
    }

    /// 16 signed bytes as shorts.
    @inline(__always) func shorts(_ x: SIMD16<Int8>) -> Shorts {
        joined(vmovl_s8(vget_low_s8(x)), vmovl_high_s8(x))
    }

    /// 16 unsigned bytes as shorts.
    @inline(__always) private func extended(_ x: uint8x16_t) -> Shorts {
        unsafeBitCast((vmovl_u8(vget_low_u8(x)), vmovl_high_u8(x)), to: Shorts.self)
    }

    /// 16 unsigned bytes, shifted and masked, as shorts.
    @inline(__always) func shorts(_ x: SIMD2<UInt64>, right shift: Int, mask: UInt8) -> Shorts {
        let x = moved(unsafeBitCast(x, to: uint8x16_t.self), right: shift)
        return extended(vandq_u8(x, vdupq_n_u8(mask)))
    }

    /// Eight bytes, each twice, as shorts.
    @inline(__always) func shorts(twice x: UInt64) -> Shorts {
        let x = unsafeBitCast(vdupq_n_u64(x), to: uint8x16_t.self)
        return extended(vzip1q_u8(x, x))
    }

    /// The base-3 digits that lead the fractions `x * power`: bytes times the power of their pair, times 3, the overflow.
    @inline(__always) func trits(_ x: Bytes, _ powers: SIMD16<UInt16>) -> Bytes {
        @inline(__always) func digits(_ x: uint8x16_t, _ power: uint8x16_t) -> uint8x16_t {
            let fraction = vmulq_u8(x, power)
            // Three times a byte overflows once from 86 on and twice from 171 on; a comparison that holds is -1.
            let one = vcgeq_u8(fraction, vdupq_n_u8(86))
            let two = vcgeq_u8(fraction, vdupq_n_u8(171))
            return vsubq_u8(vdupq_n_u8(0), vaddq_u8(one, two))
        }
        let x = halves(x)
        // Powers are below 256, so each is the two bytes of its pair.
        let p = halves(unsafeBitCast(powers | powers &<< 8, to: Bytes.self))
        return joined(digits(x.low, p.low), digits(x.high, p.high))
    }

    /// Scales 0, 2, …, 14, then 1, 3, …, 15: the order that `scale(_:group:)` picks from.
    @inline(__always) func evenOdd(_ x: Shorts) -> Shorts {
        let x = halves(x)
        return joined(vuzp1q_s16(x.low, x.high), vuzp2q_s16(x.low, x.high))
    }

    /// The two scales of a group of 32 values, each for the eight sums of its 16 values.
    @inline(__always) func scale(_ evenOdd: Shorts, group: Int) -> Shorts {
        let x = halves(evenOdd)
        return joined(vdupq_n_s16(x.low[group]), vdupq_n_s16(x.high[group]))
    }

    /// a * b + c, rounded once.
    @inline(__always) func multiplyAdd(_ a: Floats, _ b: Floats, _ c: Floats) -> Floats {
        let a = unsafeBitCast(a, to: TwoFloats.self)
        let b = unsafeBitCast(b, to: TwoFloats.self)
        let c = unsafeBitCast(c, to: TwoFloats.self)
        return unsafeBitCast(
            (vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high)), to: Floats.self)
    }
    @inline(__always) func multiplyAdd(_ a: Float, _ b: Float, _ c: Float) -> Float { c.addingProduct(a, b) }

    @inline(__always) func floats(_ x: Words) -> Floats {
        let x = halves(x)
        return unsafeBitCast((vcvtq_f32_s32(x.low), vcvtq_f32_s32(x.high)), to: Floats.self)
    }

    /// Eight halves.
    @inline(__always) func floats(halves x: SIMD8<UInt16>) -> Floats {
        let x = unsafeBitCast(x, to: (float16x4_t, float16x4_t).self)
        return unsafeBitCast((vcvt_f32_f16(x.0), vcvt_f32_f16(x.1)), to: Floats.self)
    }

    /// Eight u16, extended.
    @inline(__always) func words(_ x: SIMD8<UInt16>) -> SIMD8<UInt32> {
        unsafeBitCast((vmovl_u16(vget_low_u16(x)), vmovl_high_u16(x)), to: SIMD8<UInt32>.self)
    }

    /// The low halves of eight words that are below 2^16.
    @inline(__always) func narrowed(_ x: Words) -> SIMD8<UInt16> {
        let x = unsafeBitCast(x, to: TwoUnsignedWords.self)
        return vmovn_high_u32(vmovn_u32(x.low), x.high)
    }

    /// Rounds to the nearest integer, ties to even; |x| is below 2^31.
    @inline(__always) func rounded(_ x: Floats) -> Words {
        let x = unsafeBitCast(x, to: TwoFloats.self)
        return joined(vcvtnq_s32_f32(x.low), vcvtnq_s32_f32(x.high))
    }

    /// Lane r of the result is the sum of all lanes of `rows.r`.
    @inline(__always) func sums(_ r: EightWords) -> Words {
        @inline(__always) func half(_ x: Words) -> int32x4_t {
            let x = halves(x)
            return vaddq_s32(x.low, x.high)
        }
        let low = vpaddq_s32(vpaddq_s32(half(r.0), half(r.1)), vpaddq_s32(half(r.2), half(r.3)))
        let high = vpaddq_s32(vpaddq_s32(half(r.4), half(r.5)), vpaddq_s32(half(r.6), half(r.7)))
        return joined(low, high)
    }

    /// Turns eight rows of eight words into eight columns.
    @inline(__always) func transposed(_ r: EightWords) -> EightWords {
        typealias Four = (int32x4_t, int32x4_t, int32x4_t, int32x4_t)
        @inline(__always) func low(_ x: Words) -> int32x4_t { halves(x).low }
        @inline(__always) func high(_ x: Words) -> int32x4_t { halves(x).high }
        @inline(__always) func lows(_ a: int32x4_t, _ b: int32x4_t) -> int32x4_t {
            unsafeBitCast(
                vzip1q_s64(unsafeBitCast(a, to: int64x2_t.self), unsafeBitCast(b, to: int64x2_t.self)),
                to: int32x4_t.self)
        }
        @inline(__always) func highs(_ a: int32x4_t, _ b: int32x4_t) -> int32x4_t {
            unsafeBitCast(
                vzip2q_s64(unsafeBitCast(a, to: int64x2_t.self), unsafeBitCast(b, to: int64x2_t.self)),
                to: int32x4_t.self)
        }
        // Four rows of four words into four columns.
        @inline(__always) func four(_ a: int32x4_t, _ b: int32x4_t, _ c: int32x4_t, _ d: int32x4_t) -> Four {
            let ab = (vtrn1q_s32(a, b), vtrn2q_s32(a, b))
            let cd = (vtrn1q_s32(c, d), vtrn2q_s32(c, d))
            return (lows(ab.0, cd.0), lows(ab.1, cd.1), highs(ab.0, cd.0), highs(ab.1, cd.1))
        }
        let a = four(low(r.0), low(r.1), low(r.2), low(r.3))
        let b = four(low(r.4), low(r.5), low(r.6), low(r.7))
        let c = four(high(r.0), high(r.1), high(r.2), high(r.3))
        let d = four(high(r.4), high(r.5), high(r.6), high(r.7))
        return (
            joined(a.0, b.0), joined(a.1, b.1), joined(a.2, b.2), joined(a.3, b.3), joined(c.0, d.0), joined(c.1, d.1),
            joined(c.2, d.2), joined(c.3, d.3)
        )
    }
#endif
