#if arch(x86_64)
    internal import EdgeKernelJobs
    internal import _Builtin_intrinsics.intel

    // The tile of sixteen rows by eight tokens, for 32 registers of 512 bits: see `Panel.swift`. A row of the panel's words is one
    // register, and four activations, broadcast by the instruction that multiplies them, meet all sixteen rows at once.
    //
    // `vpdpbusd` multiplies unsigned bytes by signed ones and adds the four products of a word to a sum of 32 bits, without
    // saturation. So signed codes get 128 added, which the correction takes back, and sums are exact whatever the codes.

    /// Bytes of scratch before the panel: [8 tokens][16 rows] running sums.
    @inline(__always) var tileByteCount: Int { 512 }

    extension BlockFormat {
        /// Added here, so negative: sums begin with it.
        @inline(__always) static var correction: Int16 { isSigned ? -128 : 0 &- offset }
        /// The scales of a group's halves as one word where the halves' sums fit one too, else each scale as a word.
        @inline(__always) static var scaleCount: Int {
            hasScales ? (hasHalfScales && !halvesFitShorts ? 16 : 8) : 0
        }
        @inline(__always) static func panelCodes(_ block: UnsafeRawPointer, group: Int) -> Bytes {
            let codes = codes(block, group: group)
            guard isSigned else { return codes }
            let x = unsafeBitCast(codes, to: SIMD4<UInt64>.self) ^ SIMD4(repeating: 0x8080_8080_8080_8080)
            return unsafeBitCast(x, to: Bytes.self)
        }
    }

    /// The low or the high short of each word, its sign extended.
    @inline(__always) private func low(_ x: Words) -> Words { (x &<< 16) &>> 16 }
    @inline(__always) private func high(_ x: Words) -> Words { x &>> 16 }

    /// Stores the scales of eight rows, a column for the two halves of a group.
    @inline(__always)
    func storeScales<F: BlockFormat>(_ format: F.Type, _ c: EightWords, _ at: UnsafeMutableRawPointer) {
        if F.halvesFitShorts {
            storeColumns(c, at, stride: 64)
            return
        }
        let stride = F.hasHalfScales ? 128 : 64
        storeColumns(
            (low(c.0), low(c.1), low(c.2), low(c.3), low(c.4), low(c.5), low(c.6), low(c.7)), at, stride: stride)
        if F.hasHalfScales {
            storeColumns(
                (high(c.0), high(c.1), high(c.2), high(c.3), high(c.4), high(c.5), high(c.6), high(c.7)), at + 64,
                stride: stride)
        }
    }

    @inline(__always) private func sixteen(_ p: UnsafeRawPointer) -> __m512i { p.load(as: __m512i.self) }
    @inline(__always) private func sixteen(floats p: UnsafeRawPointer) -> __m512 { p.load(as: __m512.self) }
    @inline(__always) private func repeated(word p: UnsafeRawPointer) -> __m512i {
        _mm512_set1_epi32(p.loadUnaligned(as: Int32.self))
    }
    @inline(__always) private func repeated(short x: Int16) -> __m512i { _mm512_set1_epi16(x) }

    /// Where eight tokens' data lie, `stride` bytes apart: two pointers reach all of them by what an address can express.
    private struct Tokens {
        var first: UnsafeRawPointer
        var fourth: UnsafeRawPointer
        let stride: Int
        let thrice: Int

        @inline(__always)
        init(_ first: UnsafeRawPointer, stride: Int) {
            self.first = first
            self.stride = stride
            thrice = 3 &* stride
            fourth = first + thrice
        }

        @inline(__always)
        mutating func advance(_ byteCount: Int) {
            first += byteCount
            fourth += byteCount
        }
    }

    /// One register of sixteen rows for each of eight tokens, or of four.
    private struct Sums {
        var a = _mm512_setzero_si512()
        var b = _mm512_setzero_si512()
        var c = _mm512_setzero_si512()
        var d = _mm512_setzero_si512()
        var e = _mm512_setzero_si512()
        var f = _mm512_setzero_si512()
        var g = _mm512_setzero_si512()
        var h = _mm512_setzero_si512()

        @inline(__always) init() {}

        /// Adds words of four unsigned bytes by each token's word, `offset` bytes on.
        @inline(__always)
        mutating func addBytes(_ w: __m512i, _ t: Tokens, _ offset: Int, isEight: Bool) {
            a = _mm512_dpbusd_epi32(a, w, repeated(word: t.first + offset))
            b = _mm512_dpbusd_epi32(b, w, repeated(word: t.first + (t.stride &+ offset)))
            c = _mm512_dpbusd_epi32(c, w, repeated(word: t.first + (2 &* t.stride &+ offset)))
            d = _mm512_dpbusd_epi32(d, w, repeated(word: t.fourth + offset))
            guard isEight else { return }
            e = _mm512_dpbusd_epi32(e, w, repeated(word: t.first + (4 &* t.stride &+ offset)))
            f = _mm512_dpbusd_epi32(f, w, repeated(word: t.fourth + (2 &* t.stride &+ offset)))
            g = _mm512_dpbusd_epi32(g, w, repeated(word: t.first + (2 &* t.thrice &+ offset)))
            h = _mm512_dpbusd_epi32(h, w, repeated(word: t.fourth + (4 &* t.stride &+ offset)))
        }

        /// Likewise words of two shorts.
        @inline(__always)
        mutating func addShorts(_ w: __m512i, _ t: Tokens, _ offset: Int, isEight: Bool) {
            a = _mm512_dpwssd_epi32(a, w, repeated(word: t.first + offset))
            b = _mm512_dpwssd_epi32(b, w, repeated(word: t.first + (t.stride &+ offset)))
            c = _mm512_dpwssd_epi32(c, w, repeated(word: t.first + (2 &* t.stride &+ offset)))
            d = _mm512_dpwssd_epi32(d, w, repeated(word: t.fourth + offset))
            guard isEight else { return }
            e = _mm512_dpwssd_epi32(e, w, repeated(word: t.first + (4 &* t.stride &+ offset)))
            f = _mm512_dpwssd_epi32(f, w, repeated(word: t.fourth + (2 &* t.stride &+ offset)))
            g = _mm512_dpwssd_epi32(g, w, repeated(word: t.first + (2 &* t.thrice &+ offset)))
            h = _mm512_dpwssd_epi32(h, w, repeated(word: t.fourth + (4 &* t.stride &+ offset)))
        }

        /// Adds sums times a scale each.
        @inline(__always)
        mutating func add(_ x: Sums, scales s: __m512i, isEight: Bool) {
            a = _mm512_add_epi32(a, _mm512_mullo_epi32(x.a, s))
            b = _mm512_add_epi32(b, _mm512_mullo_epi32(x.b, s))
            c = _mm512_add_epi32(c, _mm512_mullo_epi32(x.c, s))
            d = _mm512_add_epi32(d, _mm512_mullo_epi32(x.d, s))
            guard isEight else { return }
            e = _mm512_add_epi32(e, _mm512_mullo_epi32(x.e, s))
            f = _mm512_add_epi32(f, _mm512_mullo_epi32(x.f, s))
            g = _mm512_add_epi32(g, _mm512_mullo_epi32(x.g, s))
            h = _mm512_add_epi32(h, _mm512_mullo_epi32(x.h, s))
        }

        /// Adds the sums of two halves, which fit shorts, times the words of their two scales.
        @inline(__always)
        mutating func add(_ x: Sums, _ y: Sums, scales s: __m512i, isEight: Bool) {
            a = _mm512_dpwssd_epi32(a, shortPairs(x.a, y.a), s)
            b = _mm512_dpwssd_epi32(b, shortPairs(x.b, y.b), s)
            c = _mm512_dpwssd_epi32(c, shortPairs(x.c, y.c), s)
            d = _mm512_dpwssd_epi32(d, shortPairs(x.d, y.d), s)
            guard isEight else { return }
            e = _mm512_dpwssd_epi32(e, shortPairs(x.e, y.e), s)
            f = _mm512_dpwssd_epi32(f, shortPairs(x.f, y.f), s)
            g = _mm512_dpwssd_epi32(g, shortPairs(x.g, y.g), s)
            h = _mm512_dpwssd_epi32(h, shortPairs(x.h, y.h), s)
        }
    }

    /// The low short of each word of `x`, and above it that of `y`.
    @inline(__always) private func shortPairs(_ x: __m512i, _ y: __m512i) -> __m512i {
        _mm512_mask_mov_epi16(x, 0xAAAA_AAAA, _mm512_slli_epi32(y, 16))
    }

    /// The floats of the same.
    private struct FloatSums {
        var a = _mm512_setzero_ps()
        var b = _mm512_setzero_ps()
        var c = _mm512_setzero_ps()
        var d = _mm512_setzero_ps()
        var e = _mm512_setzero_ps()
        var f = _mm512_setzero_ps()
        var g = _mm512_setzero_ps()
        var h = _mm512_setzero_ps()

        @inline(__always) init() {}

        /// Adds integers times the rows' factor times each token's scale.
        @inline(__always)
        mutating func add(_ x: Sums, factors d: __m512, _ t: Tokens, isEight: Bool) {
            add(x.a, d, t.first, &self.a)
            add(x.b, d, t.first + t.stride, &self.b)
            add(x.c, d, t.first + 2 &* t.stride, &self.c)
            add(x.d, d, t.fourth, &self.d)
            guard isEight else { return }
            add(x.e, d, t.first + 4 &* t.stride, &self.e)
            add(x.f, d, t.fourth + 2 &* t.stride, &self.f)
            add(x.g, d, t.first + 2 &* t.thrice, &self.g)
            add(x.h, d, t.fourth + 4 &* t.stride, &self.h)
        }

        @inline(__always)
        private func add(_ x: __m512i, _ factor: __m512, _ scale: UnsafeRawPointer, _ sum: inout __m512) {
            let scale = _mm512_set1_ps(scale.load(as: Float.self))
            sum = _mm512_add_ps(sum, _mm512_mul_ps(_mm512_cvtepi32_ps(x), _mm512_mul_ps(factor, scale)))
        }

        @inline(__always)
        func store(_ p: UnsafeMutableRawPointer, isEight: Bool) {
            p.storeBytes(of: a, as: __m512.self)
            p.storeBytes(of: b, toByteOffset: 64, as: __m512.self)
            p.storeBytes(of: c, toByteOffset: 128, as: __m512.self)
            p.storeBytes(of: d, toByteOffset: 192, as: __m512.self)
            guard isEight else { return }
            p.storeBytes(of: e, toByteOffset: 256, as: __m512.self)
            p.storeBytes(of: f, toByteOffset: 320, as: __m512.self)
            p.storeBytes(of: g, toByteOffset: 384, as: __m512.self)
            p.storeBytes(of: h, toByteOffset: 448, as: __m512.self)
        }
    }

    /// Adds up the codes of half a group.
    @inline(__always)
    private func addHalf(_ sums: inout Sums, _ half: Int, _ w: UnsafeRawPointer, _ t: Tokens, isEight: Bool) {
        let w = w + 256 &* half
        // Written out, the addresses are computed once.
        sums.addBytes(sixteen(w), t, 16 &* half, isEight: isEight)
        sums.addBytes(sixteen(w + 64), t, 16 &* half &+ 4, isEight: isEight)
        sums.addBytes(sixteen(w + 128), t, 16 &* half &+ 8, isEight: isEight)
        sums.addBytes(sixteen(w + 192), t, 16 &* half &+ 12, isEight: isEight)
    }

    /// The integer sums of one block; as much as eight of the file's blocks from `next` on is asked for.
    @inline(__always)
    private func integers<F: BlockFormat>(
        _ format: F.Type, _ p: UnsafeRawPointer, codes: Tokens, codeSums: Tokens, isEight: Bool, next: UnsafeRawPointer?
    ) -> Sums {
        var total = Sums()
        if F.correction != 0 {
            for pair in 0..<F.groupCount {
                let factors =
                    F.hasScales ? sixteen(p + (F.correctionOffset &+ 64 &* pair)) : repeated(short: F.correction)
                total.addShorts(factors, codeSums, 4 &* pair, isEight: isEight)
            }
        }
        var t = codes
        let share = 8 &* F.byteCount / F.groupCount
        for group in 0..<F.groupCount {
            if let next { prefetch(next + share &* group, byteCount: share) }
            let w = p + 512 &* group
            let scales = p + (F.scaleOffset &+ 64 &* (F.scaleCount / 8) &* group)
            if !F.hasScales {
                addHalf(&total, 0, w, t, isEight: isEight)
                addHalf(&total, 1, w, t, isEight: isEight)
            } else if F.halvesFitShorts {
                var low = Sums()
                var high = Sums()
                addHalf(&low, 0, w, t, isEight: isEight)
                addHalf(&high, 1, w, t, isEight: isEight)
                total.add(low, high, scales: sixteen(scales), isEight: isEight)
            } else {
                var sum = Sums()
                addHalf(&sum, 0, w, t, isEight: isEight)
                if F.hasHalfScales {
                    total.add(sum, scales: sixteen(scales), isEight: isEight)
                    sum = Sums()
                }
                addHalf(&sum, 1, w, t, isEight: isEight)
                total.add(sum, scales: sixteen(scales + (F.hasHalfScales ? 64 : 0)), isEight: isEight)
            }
            t.advance(32)
        }
        return total
    }

    /// A panel of 16 rows by eight tokens that follow one another, or by four; `acc` is room for [tokens][16 rows] running sums.
    @inline(__always)
    private func tile<F: BlockFormat>(
        _ format: F.Type, isEight: Bool, panel: UnsafeRawPointer, blocks: Int, _ j: ProductJob, token: Int,
        acc: UnsafeMutableRawPointer, next: UnsafeRawPointer?
    ) {
        var ahead = next
        var codes = Tokens(j.codes + token &* j.codeStride, stride: j.codeStride)
        var scales = Tokens(UnsafeRawPointer(j.scales + token &* j.scaleStride), stride: 4 &* j.scaleStride)
        var codeSums = Tokens(UnsafeRawPointer(j.sums + token &* j.sumStride), stride: 2 &* j.sumStride)
        var x = FloatSums()
        var p = panel
        for _ in 0..<blocks {
            let total = integers(F.self, p, codes: codes, codeSums: codeSums, isEight: isEight, next: ahead)
            if let p = ahead { ahead = p + 8 &* F.byteCount }
            x.add(total, factors: sixteen(floats: p + F.codeBytes), scales, isEight: isEight)
            if F.hasMinimum {
                var minimums = Sums()
                for pair in 0..<F.groupCount {
                    let factors = F.hasScales ? sixteen(p + (F.minimumOffset &+ 64 &* pair)) : repeated(short: 1)
                    minimums.addShorts(factors, codeSums, 4 &* pair, isEight: isEight)
                }
                x.add(minimums, factors: sixteen(floats: p + (F.codeBytes &+ 64)), scales, isEight: isEight)
            }
            codes.advance(32 &* F.groupCount)
            codeSums.advance(4 &* F.groupCount)
            scales.advance(4)
            p += F.panelBlockBytes
        }
        x.store(acc, isEight: isEight)
    }

    /// A panel by all tokens, of which there are at least four; eight rows from `next` on are asked for meanwhile.
    @inline(__always)
    func panelByTokens<F: BlockFormat>(
        _ format: F.Type, panel: UnsafeRawPointer, blocks: Int, _ j: ProductJob, first: Int, next: UnsafeRawPointer
    ) {
        let acc = j.scratch
        var done = 0
        while done < j.tokenCount {
            let left = j.tokenCount &- done
            // The last tile reaches back over some tokens that are done, and stores only the others.
            let isEight = left > 4 && j.tokenCount >= 8
            let count = isEight ? 8 : 4
            let token = min(done, j.tokenCount &- count)
            let ahead = done == 0 ? next : nil
            if isEight {
                tile(F.self, isEight: true, panel: panel, blocks: blocks, j, token: token, acc: acc, next: ahead)
            } else {
                tile(F.self, isEight: false, panel: panel, blocks: blocks, j, token: token, acc: acc, next: ahead)
            }
            let again = done &- token
            storeTile(acc + 64 &* again, j, first: first, token: done, count: count &- again)
            done = token &+ count
        }
    }
#endif
