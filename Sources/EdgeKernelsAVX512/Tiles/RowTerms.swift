#if arch(x86_64)
    internal import _Builtin_intrinsics.intel

    // The terms of a row's blocks for one token, for registers of 512 bits: see `VectorProduct.swift`. A register holds the codes of
    // two blocks of 32, or of two groups of a superblock. `vpdpbusd` leaves a word for every four products; trees of
    // additions fold the words of sixteen blocks, or of eight superblocks, to a lane a block, and scales follow.

    /// What the tiles of this room ask of a block format beside `BlockFormat`: codes for a whole register. As in panels they are
    /// unsigned, signed ones with 128 added. Each has a general form; formats say it in fewer operations.
    protocol TileFormat {
        /// The codes of two blocks of 32.
        static func twoBlocks(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> __m512i
        /// The codes of a superblock's groups `group`, which is even, and `group + 1`.
        static func twoGroups(_ block: UnsafeRawPointer, group: Int) -> __m512i
        /// s of the groups of two superblocks, a word each, for formats without scales of halves.
        static func twoScales(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> __m512i
        /// t, a short for each half of a group.
        static func twoMinimums(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> __m512i
        /// d of sixteen blocks of 32 that follow one another.
        static func sixteenFactors(_ p: UnsafeRawPointer) -> __m512
        /// m likewise.
        static func sixteenMinimumFactors(_ p: UnsafeRawPointer) -> __m512
    }

    extension BlockFormat {
        @inline(__always) static func twoBlocks(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> __m512i {
            joined(panelCodes(a, group: 0), panelCodes(b, group: 0))
        }
        @inline(__always) static func twoGroups(_ block: UnsafeRawPointer, group: Int) -> __m512i {
            joined(panelCodes(block, group: group), panelCodes(block, group: group &+ 1))
        }
        @inline(__always) static func twoScales(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> __m512i {
            _mm512_and_si512(joined(scales(a), scales(b)), _mm512_set1_epi32(0xFFFF))
        }
        @inline(__always) static func twoMinimums(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> __m512i {
            joined(minimums(a), minimums(b))
        }
        @inline(__always) static func sixteenFactors(_ p: UnsafeRawPointer) -> __m512 {
            joined(factors(consecutive(p, byteCount)), factors(consecutive(p + 8 &* byteCount, byteCount)))
        }
        @inline(__always) static func sixteenMinimumFactors(_ p: UnsafeRawPointer) -> __m512 {
            joined(
                minimumFactors(consecutive(p, byteCount)), minimumFactors(consecutive(p + 8 &* byteCount, byteCount)))
        }
    }

    /// Blocks whose terms are computed together: rows of terms are a whole number of them.
    @inline(__always) var termBlocks: Int { 16 }
    /// Bytes of scratch for partial sums and columns.
    @inline(__always) var partByteCount: Int { 1024 }

    // MARK: Registers

    // Through a tuple these would go through memory, and wait there for two stores to become one load.
    @inline(__always) private func joined(_ low: __m256i, _ high: __m256i) -> __m512i {
        _mm512_mask_broadcast_i64x4(_mm512_castsi256_si512(low), 0xF0, high)
    }
    @inline(__always) private func joined(_ low: Bytes, _ high: Bytes) -> __m512i {
        joined(unsafeBitCast(low, to: __m256i.self), unsafeBitCast(high, to: __m256i.self))
    }
    @inline(__always) private func joined(_ low: Shorts, _ high: Shorts) -> __m512i {
        joined(unsafeBitCast(low, to: __m256i.self), unsafeBitCast(high, to: __m256i.self))
    }
    @inline(__always) private func joined(_ low: Floats, _ high: Floats) -> __m512 {
        _mm512_castsi512_ps(joined(unsafeBitCast(low, to: __m256i.self), unsafeBitCast(high, to: __m256i.self)))
    }
    @inline(__always) private func sixteen(_ p: UnsafeRawPointer) -> __m512i { p.loadUnaligned(as: __m512i.self) }
    @inline(__always) private func eight(_ p: UnsafeRawPointer) -> __m256i { p.loadUnaligned(as: __m256i.self) }
    /// 32 bytes twice.
    @inline(__always) private func twice(_ p: UnsafeRawPointer) -> __m512i { _mm512_broadcast_i64x4(eight(p)) }
    /// 16 bytes at each of two places, each twice.
    @inline(__always) private func twice(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> __m512i {
        let low = _mm512_broadcast_i32x4(a.loadUnaligned(as: __m128i.self))
        return _mm512_mask_broadcast_i32x4(low, 0xFF00, b.loadUnaligned(as: __m128i.self))
    }
    @inline(__always) private func repeated(byte x: Int8) -> __m512i { _mm512_set1_epi8(x) }
    @inline(__always) private func words(_ x: SIMD16<UInt32>) -> __m512i { unsafeBitCast(x, to: __m512i.self) }
    /// The first eight words `low`, the others `high`.
    @inline(__always) private func halves(_ low: UInt32, _ high: UInt32) -> __m512i {
        words(SIMD16(low, low, low, low, low, low, low, low, high, high, high, high, high, high, high, high))
    }

    // MARK: Formats

    /// Nibbles of two blocks of 16 bytes: of each the low ones, then the high ones.
    @inline(__always) private func nibbles(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> __m512i {
        let shifts = words(SIMD16(0, 0, 0, 0, 4, 4, 4, 4, 0, 0, 0, 0, 4, 4, 4, 4))
        return _mm512_and_si512(_mm512_srlv_epi32(twice(a, b), shifts), repeated(byte: 15))
    }
    /// 32 bytes as 64 nibbles: the low ones, then the high ones.
    @inline(__always) private func nibbles(_ p: UnsafeRawPointer) -> __m512i {
        _mm512_and_si512(_mm512_srlv_epi32(twice(p), halves(0, 4)), repeated(byte: 15))
    }
    /// 32 bytes, shifted up by one number of bits (below 32; beyond 8 it is down by 32 less so many) and by another, and `mask`.
    @inline(__always) private func rotated(_ p: UnsafeRawPointer, _ low: Int, _ high: Int, mask: Int8) -> __m512i {
        let counts = halves(UInt32(truncatingIfNeeded: low & 31), UInt32(truncatingIfNeeded: high & 31))
        return _mm512_and_si512(_mm512_rolv_epi32(twice(p), counts), repeated(byte: mask))
    }
    /// Sixteen halves, the first at `p`, each `stride` bytes after the one before; `stride` is even and at most 20, and what
    /// follows the last one is at least `stride` less its own place.
    @inline(__always) private func spacedHalves(_ p: UnsafeRawPointer, offset: Int, stride: Int) -> __m512 {
        // Four are in 64 bytes from every fourth block on.
        let s = UInt16(truncatingIfNeeded: stride / 2)
        let o = UInt16(truncatingIfNeeded: offset / 2)
        let (a, b, c, d) = (o, o &+ s, o &+ 2 &* s, o &+ 3 &* s)
        let picks = SIMD32<UInt16>(
            a, b, c, d, a &+ 32, b &+ 32, c &+ 32, d &+ 32, a, b, c, d, a &+ 32, b &+ 32, c &+ 32, d &+ 32, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        let index = unsafeBitCast(picks, to: __m512i.self)
        let low = _mm512_maskz_permutex2var_epi16(0x00FF, sixteen(p), index, sixteen(p + 4 &* stride))
        let high = _mm512_maskz_permutex2var_epi16(
            0xFF00, sixteen(p + 8 &* stride), index, sixteen(p + 12 &* stride))
        return _mm512_cvtph_ps(_mm512_castsi512_si256(_mm512_or_si512(low, high)))
    }

    extension Q40 {
        @inline(__always) static func twoBlocks(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> __m512i {
            nibbles(a + 2, b + 2)
        }
        @inline(__always) static func sixteenFactors(_ p: UnsafeRawPointer) -> __m512 {
            spacedHalves(p, offset: 0, stride: 18)
        }
    }

    extension Q41 {
        @inline(__always) static func twoBlocks(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> __m512i {
            nibbles(a + 4, b + 4)
        }
        @inline(__always) static func sixteenFactors(_ p: UnsafeRawPointer) -> __m512 {
            spacedHalves(p, offset: 0, stride: 20)
        }
        @inline(__always) static func sixteenMinimumFactors(_ p: UnsafeRawPointer) -> __m512 {
            spacedHalves(p, offset: 2, stride: 20)
        }
    }

    /// Bytes of 16 where one of 64 bits is set.
    @inline(__always) private func sixteens(_ low: UInt32, _ high: UInt32) -> __m512i {
        _mm512_maskz_mov_epi8(UInt64(low) | UInt64(high) &<< 32, repeated(byte: 16))
    }

    extension Q50 {
        @inline(__always) static func twoBlocks(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> __m512i {
            let high = sixteens(
                a.loadUnaligned(fromByteOffset: 2, as: UInt32.self), b.loadUnaligned(fromByteOffset: 2, as: UInt32.self)
            )
            return _mm512_or_si512(nibbles(a + 6, b + 6), high)
        }
    }

    extension Q51 {
        @inline(__always) static func twoBlocks(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> __m512i {
            let high = sixteens(
                a.loadUnaligned(fromByteOffset: 4, as: UInt32.self), b.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
            )
            return _mm512_or_si512(nibbles(a + 8, b + 8), high)
        }
    }

    /// Sixteen bytes in every quarter of a register.
    @inline(__always) private func inQuarters(_ x: SIMD16<Int8>) -> __m512i {
        _mm512_broadcast_i32x4(unsafeBitCast(x, to: __m128i.self))
    }
    /// IQ4's grid with 128 added.
    @inline(__always) private var unsignedIQ4Table: __m512i {
        inQuarters(SIMD16(1, 24, 45, 63, 79, 93, 106, 118, -127, -115, -103, -90, -75, -59, -39, -15))
    }

    extension IQ4NL {
        @inline(__always) static func twoBlocks(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> __m512i {
            _mm512_shuffle_epi8(unsignedIQ4Table, nibbles(a + 2, b + 2))
        }
        @inline(__always) static func sixteenFactors(_ p: UnsafeRawPointer) -> __m512 {
            spacedHalves(p, offset: 0, stride: 18)
        }
    }

    extension MXFP4 {
        @inline(__always) static func twoBlocks(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> __m512i {
            let table = inQuarters(SIMD16(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0))
            return _mm512_shuffle_epi8(table, nibbles(a + 1, b + 1))
        }
    }

    extension Q2K {
        @inline(__always) static func twoGroups(_ block: UnsafeRawPointer, group: Int) -> __m512i {
            let down = 2 &* (group & 3)
            return rotated(block + (16 &+ 32 &* (group / 4)), 0 &- down, -2 &- down, mask: 3)
        }
    }

    extension Q3K {
        @inline(__always) static func twoGroups(_ block: UnsafeRawPointer, group: Int) -> __m512i {
            let down = 2 &* (group & 3)
            let low = rotated(block + (32 &+ 32 &* (group / 4)), 0 &- down, -2 &- down, mask: 3)
            return _mm512_or_si512(low, rotated(block, 2 &- group, 1 &- group, mask: 4))
        }
    }

    /// Six bits each of eight groups of two superblocks, a word each or both shorts of one: the first four in bytes from `first` on, of the
    /// others four bits in bytes from 8 on, from bit `shift` on, and the upper two above the first four's.
    @inline(__always)
    private func sixBits(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, first: UInt8, shift: UInt32, isTwice: Bool)
        -> __m512i
    {
        let x = twice(a + 4, b + 4)
        let z: UInt8 = 0x80
        let (p, q, r, s) = (first, first &+ 1, first &+ 2, first &+ 3)
        @inline(__always) func again(_ index: UInt8) -> UInt8 { isTwice ? index : z }
        // Quarters: the first four groups of a superblock, then the others.
        let low = SIMD16<UInt8>(p, z, again(p), z, q, z, again(q), z, r, z, again(r), z, s, z, again(s), z)
        let high = SIMD16<UInt8>(8, z, again(8), z, 9, z, again(9), z, 10, z, again(10), z, 11, z, again(11), z)
        let none = SIMD16<UInt8>(repeating: z)
        let bits = _mm512_shuffle_epi8(x, quarters(low, high))
        let upper = _mm512_shuffle_epi8(x, quarters(none, low))
        let shifts = words(SIMD16(0, 0, 0, 0, shift, shift, shift, shift, 0, 0, 0, 0, shift, shift, shift, shift))
        let six: UInt32 = 0x003F_003F
        let four: UInt32 = 0x000F_000F
        let masks = words(
            SIMD16(six, six, six, six, four, four, four, four, six, six, six, six, four, four, four, four))
        return _mm512_or_si512(
            _mm512_and_si512(_mm512_srlv_epi32(bits, shifts), masks),
            _mm512_and_si512(_mm512_srli_epi32(upper, 2), _mm512_set1_epi32(0x0030_0030)))
    }
    /// The first and third quarter `low`, the others `high`.
    @inline(__always) private func quarters(_ low: SIMD16<UInt8>, _ high: SIMD16<UInt8>) -> __m512i {
        let both = SIMD32<UInt8>(lowHalf: low, highHalf: high)
        return unsafeBitCast(SIMD64<UInt8>(lowHalf: both, highHalf: both), to: __m512i.self)
    }

    extension Q4K {
        @inline(__always) static func twoScales(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> __m512i {
            sixBits(a, b, first: 0, shift: 0, isTwice: false)
        }
        @inline(__always) static func twoMinimums(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> __m512i {
            sixBits(a, b, first: 4, shift: 4, isTwice: true)
        }
        @inline(__always) static func twoGroups(_ block: UnsafeRawPointer, group: Int) -> __m512i {
            nibbles(block + (16 &+ 16 &* group))
        }
    }

    extension Q5K {
        @inline(__always) static func twoScales(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> __m512i {
            sixBits(a, b, first: 0, shift: 0, isTwice: false)
        }
        @inline(__always) static func twoMinimums(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> __m512i {
            sixBits(a, b, first: 4, shift: 4, isTwice: true)
        }
        @inline(__always) static func twoGroups(_ block: UnsafeRawPointer, group: Int) -> __m512i {
            _mm512_or_si512(
                nibbles(block + (48 &+ 16 &* group)), rotated(block + 16, 4 &- group, 3 &- group, mask: 16))
        }
    }

    extension Q6K {
        @inline(__always) static func twoGroups(_ block: UnsafeRawPointer, group: Int) -> __m512i {
            let half = group / 4
            let bytes = sixteen(block + 64 &* half)
            let low = group & 2 == 0 ? bytes : _mm512_srli_epi32(bytes, 4)
            let up = group & 2 == 0 ? 4 : 0
            return _mm512_or_si512(
                _mm512_and_si512(low, repeated(byte: 15)),
                rotated(block + (128 &+ 32 &* half), up, up &- 2, mask: 48))
        }
    }

    extension IQ4XS {
        @inline(__always) static func twoGroups(_ block: UnsafeRawPointer, group: Int) -> __m512i {
            let p = block + (8 &+ 16 &* group)
            return _mm512_shuffle_epi8(unsignedIQ4Table, nibbles(p, p + 16))
        }
    }

    extension TQ20 {
        @inline(__always) static func twoGroups(_ block: UnsafeRawPointer, group: Int) -> __m512i {
            let down = 2 &* (group & 3)
            return rotated(block + 32 &* (group / 4), 0 &- down, -2 &- down, mask: 3)
        }
    }

    // MARK: Sums

    private typealias Four = (__m512i, __m512i, __m512i, __m512i)

    /// The words of a and b, c and d, folded in each quarter of a register to one word for each of the four.
    @inline(__always) private func folded(_ x: Four) -> __m512i {
        let a = _mm512_add_epi32(_mm512_unpacklo_epi32(x.0, x.1), _mm512_unpackhi_epi32(x.0, x.1))
        let b = _mm512_add_epi32(_mm512_unpacklo_epi32(x.2, x.3), _mm512_unpackhi_epi32(x.2, x.3))
        return _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b))
    }

    /// The same for words whose sums in a quarter fit 16 bits.
    @inline(__always) private func foldedShorts(_ x: Four) -> __m512i {
        let ones = _mm512_set1_epi16(1)
        let a = _mm512_madd_epi16(_mm512_packs_epi32(x.0, x.1), ones)
        let b = _mm512_madd_epi16(_mm512_packs_epi32(x.2, x.3), ones)
        return _mm512_madd_epi16(_mm512_packs_epi32(a, b), ones)
    }

    /// A lane a block, from quarters that hold the halves of blocks 0, 2, 4, 6, then of 1, 3, 5, 7, and of the next eight.
    @inline(__always) private func inOrder(_ low: __m512i, _ high: __m512i) -> __m512i {
        let first = words(SIMD16(0, 8, 1, 9, 2, 10, 3, 11, 16, 24, 17, 25, 18, 26, 19, 27))
        let second = words(SIMD16(4, 12, 5, 13, 6, 14, 7, 15, 20, 28, 21, 29, 22, 30, 23, 31))
        return _mm512_add_epi32(
            _mm512_permutex2var_epi32(low, first, high), _mm512_permutex2var_epi32(low, second, high))
    }

    /// The integer sums of sixteen blocks of 32, a lane a block; past `count` the last block stands in.
    @inline(__always)
    private func sixteenSums<F: BlockFormat>(
        _ format: F.Type, _ p: UnsafeRawPointer, _ q: UnsafeRawPointer, count: Int, isFull: Bool
    ) -> __m512i {
        let x = (
            pair(F.self, p, q, 0, count: count, isFull: isFull), pair(F.self, p, q, 1, count: count, isFull: isFull),
            pair(F.self, p, q, 2, count: count, isFull: isFull), pair(F.self, p, q, 3, count: count, isFull: isFull)
        )
        let y = (
            pair(F.self, p, q, 4, count: count, isFull: isFull), pair(F.self, p, q, 5, count: count, isFull: isFull),
            pair(F.self, p, q, 6, count: count, isFull: isFull), pair(F.self, p, q, 7, count: count, isFull: isFull)
        )
        // Codes to 15: four words of four products each fit 16 bits.
        return F.unit == 8 ? inOrder(foldedShorts(x), foldedShorts(y)) : inOrder(folded(x), folded(y))
    }

    /// The words of blocks 2k and 2k + 1.
    @inline(__always)
    private func pair<F: BlockFormat>(
        _ format: F.Type, _ p: UnsafeRawPointer, _ q: UnsafeRawPointer, _ k: Int, count: Int, isFull: Bool
    ) -> __m512i {
        let a = isFull ? 2 &* k : min(2 &* k, count &- 1)
        let b = isFull ? 2 &* k &+ 1 : min(2 &* k &+ 1, count &- 1)
        let activations = isFull ? sixteen(q + 64 &* k) : joined(eight(q + 32 &* a), eight(q + 32 &* b))
        return _mm512_dpbusd_epi32(
            _mm512_setzero_si512(), F.twoBlocks(p + a &* F.byteCount, p + b &* F.byteCount), activations)
    }

    /// The integer sum of a superblock, in sixteen parts: s * code * q, less the offset's part.
    @inline(__always)
    private func superblockSums<F: BlockFormat>(
        _ format: F.Type, _ block: UnsafeRawPointer, _ q: UnsafeRawPointer, _ s: UnsafeRawPointer
    ) -> __m512i {
        let scales = F.hasScales ? F.scales(block) : Shorts(repeating: 1)
        var total = _mm512_setzero_si512()
        if F.correction != 0 {
            let parts = _mm256_madd_epi16(unsafeBitCast(scales &* F.correction, to: __m256i.self), eight(s))
            total = _mm512_zextsi256_si512(parts)
        }
        let wide = _mm512_castsi256_si512(unsafeBitCast(scales, to: __m256i.self))
        total = added(F.self, total, block, q, 0, wide)
        total = added(F.self, total, block, q, 1, wide)
        total = added(F.self, total, block, q, 2, wide)
        return added(F.self, total, block, q, 3, wide)
    }

    /// The same of one of two superblocks whose scales are in `scales`, for formats that need no correction.
    @inline(__always)
    private func superblockSums<F: BlockFormat>(
        _ format: F.Type, _ block: UnsafeRawPointer, _ q: UnsafeRawPointer, twoScales scales: __m512i, isSecond: Bool
    ) -> __m512i {
        let first: UInt32 = isSecond ? 8 : 0
        @inline(__always) func added(_ total: __m512i, _ pair: Int) -> __m512i {
            let products = _mm512_dpbusd_epi32(
                _mm512_setzero_si512(), F.twoGroups(block, group: 2 &* pair), sixteen(q + 64 &* pair))
            // Sums of four products fit the low short; beside the scale there is nothing for the high one.
            let group = first &+ 2 &* UInt32(truncatingIfNeeded: pair)
            return _mm512_dpwssd_epi32(total, products, _mm512_permutexvar_epi32(halves(group, group &+ 1), scales))
        }
        return added(added(added(added(_mm512_setzero_si512(), 0), 1), 2), 3)
    }

    /// `total` and the products of two groups of a superblock times their scales.
    @inline(__always)
    private func added<F: BlockFormat>(
        _ format: F.Type, _ total: __m512i, _ block: UnsafeRawPointer, _ q: UnsafeRawPointer, _ pair: Int,
        _ scales: __m512i
    ) -> __m512i {
        let codes = F.twoGroups(block, group: 2 &* pair)
        let activations = sixteen(q + 64 &* pair)
        guard F.hasScales else { return _mm512_dpbusd_epi32(total, codes, activations) }
        let products = _mm512_dpbusd_epi32(_mm512_setzero_si512(), codes, activations)
        let first = UInt32(truncatingIfNeeded: 4 &* pair)
        let index = words(
            SIMD16(
                first, first, first, first, first &+ 1, first &+ 1, first &+ 1, first &+ 1, first &+ 2, first &+ 2,
                first &+ 2, first &+ 2, first &+ 3, first &+ 3, first &+ 3, first &+ 3))
        if F.isSigned {
            let high = _mm512_slli_epi32(_mm512_permutexvar_epi16(index, scales), 16)
            return _mm512_add_epi32(total, _mm512_mullo_epi32(products, _mm512_srai_epi32(high, 16)))
        }
        // Codes to 63: words of four products fit the low short, and nothing is beside the scale in the high one.
        return _mm512_dpwssd_epi32(total, products, _mm512_maskz_permutexvar_epi16(0x5555_5555, index, scales))
    }

    /// The sums of eight superblocks, a lane a block, from their parts in memory.
    @inline(__always) private func eightSums(_ parts: UnsafeMutableRawPointer) -> Words {
        @inline(__always) func part(_ k: Int) -> __m512i { parts.load(fromByteOffset: 64 &* k, as: __m512i.self) }
        let low = folded((part(0), part(1), part(2), part(3)))
        let high = folded((part(4), part(5), part(6), part(7)))
        // A quarter of a register has a part of all four: the eight blocks from two quarters each, twice, then these halves added.
        let first = words(SIMD16(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23))
        let second = words(SIMD16(8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31))
        let sums = _mm512_add_epi32(
            _mm512_permutex2var_epi32(low, first, high), _mm512_permutex2var_epi32(low, second, high))
        let halves = unsafeBitCast(sums, to: SIMD16<Int32>.self)
        return halves.lowHalf &+ halves.highHalf
    }

    /// The minimums' integer sums of eight superblocks; past `count` the last block stands in.
    @inline(__always)
    private func eightMinimums<F: BlockFormat>(
        _ format: F.Type, _ p: UnsafeRawPointer, _ s: UnsafeRawPointer, count: Int, isFull: Bool
    ) -> Words {
        @inline(__always) func part(_ k: Int) -> __m512i {
            let a = isFull ? 2 &* k : min(2 &* k, count &- 1)
            let b = isFull ? 2 &* k &+ 1 : min(2 &* k &+ 1, count &- 1)
            let t = F.twoMinimums(p + a &* F.byteCount, p + b &* F.byteCount)
            let sums =
                isFull
                ? sixteen(s + 64 &* k) : joined(eight(s + 32 &* a), eight(s + 32 &* b))
            return _mm512_madd_epi16(t, sums)
        }
        let quarters = folded((part(0), part(1), part(2), part(3)))
        let ordered = inOrder(quarters, quarters)
        return unsafeBitCast(_mm512_castsi512_si256(ordered), to: Words.self)
    }

    // MARK: Terms

    /// What a step of a row reads, and where its terms go.
    private struct Step {
        var weights: UnsafeRawPointer
        var codes: UnsafeRawPointer
        var scales: UnsafeRawPointer
        var sums: UnsafeRawPointer
        var terms: UnsafeMutableRawPointer
        /// Where what is asked for meanwhile lies, and how much for each sixteen blocks of 32, or for a superblock.
        var ahead: UnsafeRawPointer
        let share: Int

        @inline(__always)
        mutating func advance<F: BlockFormat>(_ format: F.Type, blocks: Int) {
            weights += blocks &* F.byteCount
            codes += blocks &* 32 &* F.groupCount
            scales += 4 &* blocks
            sums += blocks &* 4 &* F.groupCount
            terms += 4 &* blocks
            ahead += F.groupCount == 1 ? share : blocks &* share
        }
    }

    /// The terms of sixteen blocks of 32, of which `count` are there.
    @inline(__always)
    private func sixteenTerms<F: BlockFormat>(
        _ format: F.Type, _ x: Step, count: Int, isFull: Bool, minimumOffset: Int
    ) {
        let p = x.weights
        prefetch(x.ahead, byteCount: 16 &* F.byteCount, share: x.share)
        // What activations have beside their codes comes in whole eights of blocks.
        let isWide = isFull || count > 8
        let pairs = isWide ? sixteen(x.sums) : _mm512_zextsi256_si512(eight(x.sums))
        let a =
            isWide
            ? x.scales.loadUnaligned(as: __m512.self) : joined(x.scales.loadUnaligned(as: Floats.self), Floats())
        var integers = sixteenSums(F.self, p, x.codes, count: count, isFull: isFull)
        if F.correction != 0 {
            integers = _mm512_dpwssd_epi32(integers, pairs, _mm512_set1_epi16(F.correction))
        }
        let first = rowPointers(p, F.byteCount, first: 0, count: count)
        let second = rowPointers(p, F.byteCount, first: 8, count: count)
        let d = isFull ? F.sixteenFactors(p) : joined(F.factors(first), F.factors(second))
        x.terms.storeBytes(of: _mm512_mul_ps(_mm512_cvtepi32_ps(integers), _mm512_mul_ps(d, a)), as: __m512.self)
        if F.hasMinimum {
            let minimums = _mm512_madd_epi16(pairs, _mm512_set1_epi16(1))
            let m =
                isFull
                ? F.sixteenMinimumFactors(p) : joined(F.minimumFactors(first), F.minimumFactors(second))
            x.terms.storeBytes(
                of: _mm512_mul_ps(_mm512_cvtepi32_ps(minimums), _mm512_mul_ps(m, a)), toByteOffset: minimumOffset,
                as: __m512.self)
        }
    }

    /// The terms of eight superblocks, of which `count` are there.
    @inline(__always)
    private func eightTerms<F: BlockFormat>(
        _ format: F.Type, _ x: Step, count: Int, isFull: Bool, minimumOffset: Int, parts: UnsafeMutableRawPointer
    ) {
        var k = 0
        while k < (isFull ? 8 : count) {
            // What two blocks need at once: it is fewer lines than what each needs.
            prefetch(x.ahead + k &* x.share, byteCount: 2 &* F.byteCount, share: 2 &* x.share)
            let a = x.weights + k &* F.byteCount
            let isPair = isFull || k &+ 1 < count
            let b = isPair ? a + F.byteCount : a
            let q = x.codes + 256 &* k
            let first: __m512i
            let second: __m512i
            if F.hasScales, !F.hasHalfScales, F.correction == 0 {
                let scales = F.twoScales(a, b)
                first = superblockSums(F.self, a, q, twoScales: scales, isSecond: false)
                second = superblockSums(F.self, b, isPair ? q + 256 : q, twoScales: scales, isSecond: true)
            } else {
                first = superblockSums(F.self, a, q, x.sums + 32 &* k)
                second = superblockSums(F.self, b, isPair ? q + 256 : q, isPair ? x.sums + 32 &* (k &+ 1) : x.sums)
            }
            parts.storeBytes(of: first, toByteOffset: 64 &* k, as: __m512i.self)
            parts.storeBytes(of: second, toByteOffset: 64 &* (k &+ 1), as: __m512i.self)
            k &+= 2
        }
        let all =
            isFull
            ? consecutive(x.weights, F.byteCount) : rowPointers(x.weights, F.byteCount, first: 0, count: count)
        let a = x.scales.loadUnaligned(as: Floats.self)
        x.terms.storeBytes(of: floats(eightSums(parts)) * (F.factors(all) * a), as: Floats.self)
        if F.hasMinimum {
            let minimums = eightMinimums(F.self, x.weights, x.sums, count: count, isFull: isFull)
            x.terms.storeBytes(
                of: floats(minimums) * (F.minimumFactors(all) * a), toByteOffset: minimumOffset, as: Floats.self)
        }
    }

    /// The terms of one row: `terms[b]` = Float(sum) * (d * a) of block b, and the minimums' after `minimumOffset`
    /// bytes. From `ahead` on one of `shares` of a row is asked for.
    @inline(__always)
    func rowTerms<F: BlockFormat>(
        _ format: F.Type, _ row: UnsafeRawPointer, blocks: Int, codes: UnsafeRawPointer, scales: UnsafeRawPointer,
        sums: UnsafeRawPointer, terms: UnsafeMutableRawPointer, minimumOffset: Int, parts: UnsafeMutableRawPointer,
        ahead: UnsafeRawPointer,
        shares: Int
    ) {
        var x = Step(
            weights: row, codes: codes, scales: scales, sums: sums, terms: terms, ahead: ahead,
            share: (F.groupCount == 1 ? 16 : 1) &* F.byteCount / shares)
        let step = F.groupCount == 1 ? 16 : 8
        var left = blocks
        while left >= step {
            if F.groupCount == 1 {
                sixteenTerms(F.self, x, count: 16, isFull: true, minimumOffset: minimumOffset)
            } else {
                eightTerms(F.self, x, count: 8, isFull: true, minimumOffset: minimumOffset, parts: parts)
            }
            x.advance(F.self, blocks: step)
            left &-= step
        }
        guard left > 0 else { return }
        if F.groupCount == 1, blocks >= step {
            // A whole step that reaches back over blocks that are done is faster than a part of one, and gives them the same terms.
            x.advance(F.self, blocks: left &- step)
            sixteenTerms(F.self, x, count: 16, isFull: true, minimumOffset: minimumOffset)
            return
        }
        if F.groupCount == 1 {
            sixteenTerms(F.self, x, count: left, isFull: false, minimumOffset: minimumOffset)
        } else {
            eightTerms(F.self, x, count: left, isFull: false, minimumOffset: minimumOffset, parts: parts)
        }
    }
#endif
