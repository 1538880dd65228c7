#if arch(arm64)
    internal import EdgeKernelJobs
    internal import _Builtin_intrinsics.arm.neon

    // The tile of sixteen rows by four tokens, in two halves of eight rows, for 32 registers of 128 bits: see `Panel.swift`.
    //
    // `smmla` takes two tokens by eight values and two rows by eight values and adds the products to two by two words: 32 products an
    // instruction, twice those of `sdot`. Sums stay as it leaves them, [2 tokens][2 rows] a register, until all blocks are added
    // up: scales and factors of two rows are loaded twice instead. It takes signed bytes, so codes lie in the panel less their offset,
    // and nothing is left to correct.

    extension BlockFormat {
        /// None: the offset is taken off when a panel is made.
        @inline(__always) static var correction: Int16 { 0 }
        /// Each scale is a word.
        @inline(__always) static var scaleCount: Int { hasScales ? (hasHalfScales ? 16 : 8) : 0 }
        @inline(__always) static func panelCodes(_ block: UnsafeRawPointer, group: Int) -> Bytes {
            let codes = codes(block, group: group)
            return offset == 0 ? codes : codes &- bytes(UInt8(truncatingIfNeeded: offset))
        }
    }

    /// Two halves of 64 bits: the low ones of two registers, or the high ones.
    @inline(__always) private func lows<T>(_ x: T, _ y: T) -> T {
        unsafeBitCast(
            vzip1q_s64(unsafeBitCast(x, to: int64x2_t.self), unsafeBitCast(y, to: int64x2_t.self)), to: T.self)
    }
    @inline(__always) private func highs<T>(_ x: T, _ y: T) -> T {
        unsafeBitCast(
            vzip2q_s64(unsafeBitCast(x, to: int64x2_t.self), unsafeBitCast(y, to: int64x2_t.self)), to: T.self)
    }

    /// A group's codes of eight rows in eights: a vector has eight values of each of four rows, the next the same values of the other
    /// four.
    @inline(__always) func codeColumns(_ r: EightWords) -> EightWords {
        typealias Two = (low: int8x16_t, high: int8x16_t)
        @inline(__always) func halves(_ x: Words) -> Two { unsafeBitCast(x, to: Two.self) }
        @inline(__always) func four(_ a: Words, _ b: Words, _ c: Words, _ d: Words) -> (Words, Words, Words, Words) {
            let (a, b, c, d) = (halves(a), halves(b), halves(c), halves(d))
            return (
                unsafeBitCast((lows(a.low, b.low), lows(c.low, d.low)), to: Words.self),
                unsafeBitCast((highs(a.low, b.low), highs(c.low, d.low)), to: Words.self),
                unsafeBitCast((lows(a.high, b.high), lows(c.high, d.high)), to: Words.self),
                unsafeBitCast((highs(a.high, b.high), highs(c.high, d.high)), to: Words.self)
            )
        }
        let first = four(r.0, r.1, r.2, r.3)
        let second = four(r.4, r.5, r.6, r.7)
        return (first.0, second.0, first.1, second.1, first.2, second.2, first.3, second.3)
    }

    /// Stores the minimums of eight rows as bytes, sixteen values like codes: they have six bits.
    @inline(__always) func storeMinimums(_ r: EightWords, _ at: UnsafeMutableRawPointer) {
        @inline(__always) func narrowed(_ x: Words) -> int8x16_t {
            let x = unsafeBitCast(x, to: (int8x16_t, int8x16_t).self)
            return vuzp1q_s8(x.0, x.1)
        }
        @inline(__always) func store(_ a: Words, _ b: Words, _ offset: Int) {
            let (a, b) = (narrowed(a), narrowed(b))
            at.storeBytes(of: lows(a, b), toByteOffset: offset, as: int8x16_t.self)
            at.storeBytes(of: highs(a, b), toByteOffset: offset &+ 128, as: int8x16_t.self)
        }
        store(r.0, r.1, 0)
        store(r.2, r.3, 16)
        store(r.4, r.5, 64)
        store(r.6, r.7, 80)
    }

    /// Stores the scales of eight rows as words, a column for the two halves of a group or for each.
    @inline(__always)
    func storeScales<F: BlockFormat>(_ format: F.Type, _ c: EightWords, _ at: UnsafeMutableRawPointer) {
        @inline(__always) func low(_ x: Words) -> Words { (x &<< 16) &>> 16 }
        @inline(__always) func high(_ x: Words) -> Words { x &>> 16 }
        let stride = F.hasHalfScales ? 128 : 64
        storeColumns(
            (low(c.0), low(c.1), low(c.2), low(c.3), low(c.4), low(c.5), low(c.6), low(c.7)), at, stride: stride)
        if F.hasHalfScales {
            storeColumns(
                (high(c.0), high(c.1), high(c.2), high(c.3), high(c.4), high(c.5), high(c.6), high(c.7)), at + 64,
                stride: stride)
        }
    }

    /// What two rows have, for each of two tokens.
    @inline(__always) private func twice<T>(_ p: UnsafeRawPointer, as type: T.Type) -> T {
        unsafeBitCast(vdupq_n_u64(p.load(as: UInt64.self)), to: T.self)
    }

    /// Sixteen values of four tokens, two tokens and eight values a register.
    private struct Sixteen {
        let first01: int8x16_t
        let first23: int8x16_t
        let second01: int8x16_t
        let second23: int8x16_t

        @inline(__always) init(_ t0: int8x16_t, _ t1: int8x16_t, _ t2: int8x16_t, _ t3: int8x16_t) {
            first01 = lows(t0, t1)
            first23 = lows(t2, t3)
            second01 = highs(t0, t1)
            second23 = highs(t2, t3)
        }

        /// The codes of tokens `stride` bytes apart.
        @inline(__always) init(_ p: UnsafeRawPointer, stride: Int) {
            self.init(
                p.loadUnaligned(as: int8x16_t.self), p.loadUnaligned(fromByteOffset: stride, as: int8x16_t.self),
                p.loadUnaligned(fromByteOffset: 2 &* stride, as: int8x16_t.self),
                p.loadUnaligned(fromByteOffset: 3 &* stride, as: int8x16_t.self))
        }
    }

    /// The sums of two rows by four tokens, [2 tokens][2 rows] a register.
    private struct Pair {
        var t01 = vdupq_n_s32(0)
        var t23 = vdupq_n_s32(0)

        @inline(__always) init() {}

        /// Adds sixteen values of the two rows, the second eight 128 bytes behind the first.
        @inline(__always) mutating func add(_ w: UnsafeRawPointer, _ q: Sixteen) {
            let first = w.load(as: int8x16_t.self)
            t01 = vmmlaq_s32(t01, q.first01, first)
            t23 = vmmlaq_s32(t23, q.first23, first)
            let second = w.load(fromByteOffset: 128, as: int8x16_t.self)
            t01 = vmmlaq_s32(t01, q.second01, second)
            t23 = vmmlaq_s32(t23, q.second23, second)
        }

        /// Adds sums times their rows' scales.
        @inline(__always) mutating func add(_ x: Pair, scales: UnsafeRawPointer) {
            let s = twice(scales, as: int32x4_t.self)
            t01 = vmlaq_s32(t01, x.t01, s)
            t23 = vmlaq_s32(t23, x.t23, s)
        }

        @inline(__always) mutating func multiply(by factor: Int32) {
            t01 = vmulq_s32(t01, vdupq_n_s32(factor))
            t23 = vmulq_s32(t23, vdupq_n_s32(factor))
        }
    }

    /// The sums of eight rows by four tokens.
    private struct Sums {
        var a = Pair()
        var b = Pair()
        var c = Pair()
        var d = Pair()

        @inline(__always) init() {}

        /// Adds sixteen values: those of the pairs of rows as `codeColumns` lays them.
        @inline(__always) mutating func add(_ w: UnsafeRawPointer, _ q: Sixteen) {
            a.add(w, q)
            b.add(w + 16, q)
            c.add(w + 64, q)
            d.add(w + 80, q)
        }

        @inline(__always) mutating func add(_ x: Sums, scales: UnsafeRawPointer) {
            a.add(x.a, scales: scales)
            b.add(x.b, scales: scales + 8)
            c.add(x.c, scales: scales + 16)
            d.add(x.d, scales: scales + 24)
        }

        @inline(__always) mutating func multiply(by factor: Int32) {
            a.multiply(by: factor)
            b.multiply(by: factor)
            c.multiply(by: factor)
            d.multiply(by: factor)
        }
    }

    /// What four tokens have of one block: their scales, each for two rows.
    private struct TokenScales {
        let t01: float32x4_t
        let t23: float32x4_t

        @inline(__always) init(_ p: UnsafeRawPointer, stride: Int) {
            @inline(__always) func two(_ p: UnsafeRawPointer) -> float32x4_t {
                vcombine_f32(
                    vdup_n_f32(p.load(as: Float.self)), vdup_n_f32(p.load(fromByteOffset: stride, as: Float.self)))
            }
            t01 = two(p)
            t23 = two(p + 2 &* stride)
        }
    }

    /// The floats of two rows by four tokens.
    private struct FloatPair {
        var t01 = vdupq_n_f32(0)
        var t23 = vdupq_n_f32(0)

        @inline(__always) init() {}

        /// Adds integers times the rows' factor times each token's scale.
        @inline(__always) mutating func add(_ x: Pair, _ factors: UnsafeRawPointer, _ scales: TokenScales) {
            let d = twice(factors, as: float32x4_t.self)
            t01 = vaddq_f32(t01, vmulq_f32(vcvtq_f32_s32(x.t01), vmulq_f32(d, scales.t01)))
            t23 = vaddq_f32(t23, vmulq_f32(vcvtq_f32_s32(x.t23), vmulq_f32(d, scales.t23)))
        }
    }

    /// The floats of eight rows by four tokens.
    private struct FloatSums {
        var a = FloatPair()
        var b = FloatPair()
        var c = FloatPair()
        var d = FloatPair()

        @inline(__always) init() {}

        @inline(__always) mutating func add(_ x: Sums, factors: UnsafeRawPointer, _ scales: TokenScales) {
            a.add(x.a, factors, scales)
            b.add(x.b, factors + 8, scales)
            c.add(x.c, factors + 16, scales)
            d.add(x.d, factors + 24, scales)
        }

        /// Stores eight rows of each token, tokens 64 bytes apart.
        @inline(__always) func store(_ p: UnsafeMutableRawPointer) {
            p.storeBytes(of: lows(a.t01, b.t01), as: float32x4_t.self)
            p.storeBytes(of: lows(c.t01, d.t01), toByteOffset: 16, as: float32x4_t.self)
            p.storeBytes(of: highs(a.t01, b.t01), toByteOffset: 64, as: float32x4_t.self)
            p.storeBytes(of: highs(c.t01, d.t01), toByteOffset: 80, as: float32x4_t.self)
            p.storeBytes(of: lows(a.t23, b.t23), toByteOffset: 128, as: float32x4_t.self)
            p.storeBytes(of: lows(c.t23, d.t23), toByteOffset: 144, as: float32x4_t.self)
            p.storeBytes(of: highs(a.t23, b.t23), toByteOffset: 192, as: float32x4_t.self)
            p.storeBytes(of: highs(c.t23, d.t23), toByteOffset: 208, as: float32x4_t.self)
        }
    }

    /// The sums of minimums times sums of activations of one block, sixteen of them or two.
    @inline(__always)
    private func minimums<F: BlockFormat>(
        _ format: F.Type, _ p: UnsafeRawPointer, codeSums: UnsafeRawPointer, stride: Int
    ) -> Sums {
        var total = Sums()
        if F.groupCount == 1 {
            @inline(__always) func sum(_ p: UnsafeRawPointer) -> int32x2_t {
                vdup_n_s32(
                    Int32(truncatingIfNeeded: p.load(as: Int16.self))
                        &+ Int32(truncatingIfNeeded: p.load(fromByteOffset: 2, as: Int16.self)))
            }
            total.a.t01 = vcombine_s32(sum(codeSums), sum(codeSums + stride))
            total.a.t23 = vcombine_s32(sum(codeSums + 2 &* stride), sum(codeSums + 3 &* stride))
            total.b = total.a
            total.c = total.a
            total.d = total.a
            return total
        }
        // The sums of sixteen activations are below 2^11 in size: seven bits without a sign, and five with it.
        @inline(__always) func narrowed(_ x: int16x8_t, _ y: int16x8_t) -> int8x16_t {
            vuzp1q_s8(unsafeBitCast(x, to: int8x16_t.self), unsafeBitCast(y, to: int8x16_t.self))
        }
        @inline(__always) func low(_ p: UnsafeRawPointer) -> int8x16_t {
            let mask = vdupq_n_s16(127)
            return narrowed(
                vandq_s16(p.loadUnaligned(as: int16x8_t.self), mask),
                vandq_s16(p.loadUnaligned(fromByteOffset: 16, as: int16x8_t.self), mask))
        }
        @inline(__always) func high(_ p: UnsafeRawPointer) -> int8x16_t {
            let shift = vdupq_n_s16(-7)
            return narrowed(
                vshlq_s16(p.loadUnaligned(as: int16x8_t.self), shift),
                vshlq_s16(p.loadUnaligned(fromByteOffset: 16, as: int16x8_t.self), shift))
        }
        let (s0, s1, s2, s3) = (codeSums, codeSums + stride, codeSums + 2 &* stride, codeSums + 3 &* stride)
        total.add(p + F.minimumOffset, Sixteen(high(s0), high(s1), high(s2), high(s3)))
        total.multiply(by: 128)
        total.add(p + F.minimumOffset, Sixteen(low(s0), low(s1), low(s2), low(s3)))
        return total
    }

    /// Eight rows of a panel by four tokens that follow one another.
    @inline(__always)
    private func half<F: BlockFormat>(
        _ format: F.Type, panel: UnsafeRawPointer, blocks: Int, _ j: ProductJob, token: Int,
        acc: UnsafeMutableRawPointer, next: UnsafeRawPointer?
    ) {
        var ahead = next
        let stride = j.codeStride
        var c = j.codes + token &* stride
        var scales = UnsafeRawPointer(j.scales + token &* j.scaleStride)
        var codeSums = UnsafeRawPointer(j.sums + token &* j.sumStride)
        var x = FloatSums()
        var p = panel
        for _ in 0..<blocks {
            if let p = ahead {
                prefetch(p, byteCount: 4 &* F.byteCount)
                ahead = p + 4 &* F.byteCount
            }
            var total = Sums()
            for group in 0..<F.groupCount {
                let w = p + 512 &* group
                let first = Sixteen(c, stride: stride)
                let second = Sixteen(c + 16, stride: stride)
                let s = p + (F.scaleOffset &+ (F.hasHalfScales ? 128 : 64) &* group)
                if !F.hasScales {
                    total.add(w, first)
                    total.add(w + 256, second)
                } else {
                    var sum = Sums()
                    sum.add(w, first)
                    if F.hasHalfScales {
                        total.add(sum, scales: s)
                        sum = Sums()
                    }
                    sum.add(w + 256, second)
                    total.add(sum, scales: s + (F.hasHalfScales ? 64 : 0))
                }
                c += 32
            }
            let a = TokenScales(scales, stride: 4 &* j.scaleStride)
            x.add(total, factors: p + F.codeBytes, a)
            if F.hasMinimum {
                x.add(
                    minimums(F.self, p, codeSums: codeSums, stride: 2 &* j.sumStride),
                    factors: p + (F.codeBytes &+ 64), a)
            }
            scales += 4
            codeSums += 4 &* F.groupCount
            p += F.panelBlockBytes
        }
        x.store(acc)
    }

    /// A panel of 16 rows by four tokens that follow one another; `acc` is room for [4 tokens][16 rows] running sums.
    @inline(__always)
    func tile<F: BlockFormat>(
        _ format: F.Type, panel: UnsafeRawPointer, blocks: Int, _ j: ProductJob, token: Int,
        acc: UnsafeMutableRawPointer, next: UnsafeRawPointer?
    ) {
        for part in 0..<2 {
            half(
                F.self, panel: panel + 32 &* part, blocks: blocks, j, token: token, acc: acc + 32 &* part,
                next: next.map { $0 + 4 &* part &* j.rowByteCount })
        }
    }
#endif
