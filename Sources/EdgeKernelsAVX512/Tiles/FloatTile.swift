#if arch(x86_64)
    internal import _Builtin_intrinsics.intel

    // The tile of three rows by four tokens of floats, for registers of 512 bits: see `FloatProduct.swift`.

    /// Rows of 32 floats whose sums the registers hold, beside what is added: see `Attention.swift`.
    @inline(__always) var rowsInRegisters: Int { 4 }

    /// What the tiles of this room ask of a float format beside `FloatFormat`: values for a whole register.
    protocol FloatTileFormat {
        /// Sixteen values.
        static func sixteen(_ p: UnsafeRawPointer) -> __m512
    }

    extension F32 {
        @inline(__always) static func sixteen(_ p: UnsafeRawPointer) -> __m512 { p.loadUnaligned(as: __m512.self) }
    }

    extension F16 {
        @inline(__always) static func sixteen(_ p: UnsafeRawPointer) -> __m512 {
            _mm512_cvtph_ps(p.loadUnaligned(as: __m256i.self))
        }
    }

    extension BF16 {
        @inline(__always) static func sixteen(_ p: UnsafeRawPointer) -> __m512 {
            _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(p.loadUnaligned(as: __m256i.self)), 16))
        }
    }

    /// Sixteen lanes.
    typealias SpanLanes = SIMD16<Float>
    @inline(__always) var emptyLanes: SpanLanes { SpanLanes() }

    /// Adds to lanes the products of `steps` times sixteen columns.
    @inline(__always)
    func addLanes<F: FloatFormat>(
        _ format: F.Type, _ w: UnsafeRawPointer, _ x: UnsafePointer<Float>, steps: Int, _ lanes: inout SpanLanes
    ) {
        for step in 0..<steps {
            let y = UnsafeRawPointer(x + 16 &* step).loadUnaligned(as: __m512.self)
            lanes = _mm512_fmadd_ps(F.sixteen(w + 16 &* F.byteCount &* step), y, lanes)
        }
    }

    /// Where a packed span has what a tile reads: [groups of sixteen columns][rows or tokens][16].
    enum SpanLayout {
        /// Bytes from a row to the next.
        @inline(__always) static var rowStride: Int { 64 }
        /// Bytes from the lower eight of sixteen columns to the upper eight.
        @inline(__always) static func highOffset(width: Int, steps: Int) -> Int { 32 }
        /// Bytes from sixteen columns to the next.
        @inline(__always) static func stepStride(width: Int) -> Int { 64 &* width }
    }

    /// The sixteen lanes of three rows by four tokens.
    private struct TileSums {
        var a0 = _mm512_setzero_ps()
        var a1 = _mm512_setzero_ps()
        var a2 = _mm512_setzero_ps()
        var a3 = _mm512_setzero_ps()
        var b0 = _mm512_setzero_ps()
        var b1 = _mm512_setzero_ps()
        var b2 = _mm512_setzero_ps()
        var b3 = _mm512_setzero_ps()
        var c0 = _mm512_setzero_ps()
        var c1 = _mm512_setzero_ps()
        var c2 = _mm512_setzero_ps()
        var c3 = _mm512_setzero_ps()

        @inline(__always) init() {}

        /// Adds the products of three rows' values with those of four tokens at `x`, packed.
        @inline(__always)
        mutating func add(_ p: __m512, _ q: __m512, _ r: __m512, _ x: UnsafeRawPointer) {
            var y = x.load(as: __m512.self)
            a0 = _mm512_fmadd_ps(p, y, a0)
            b0 = _mm512_fmadd_ps(q, y, b0)
            c0 = _mm512_fmadd_ps(r, y, c0)
            y = x.load(fromByteOffset: 64, as: __m512.self)
            a1 = _mm512_fmadd_ps(p, y, a1)
            b1 = _mm512_fmadd_ps(q, y, b1)
            c1 = _mm512_fmadd_ps(r, y, c1)
            y = x.load(fromByteOffset: 128, as: __m512.self)
            a2 = _mm512_fmadd_ps(p, y, a2)
            b2 = _mm512_fmadd_ps(q, y, b2)
            c2 = _mm512_fmadd_ps(r, y, c2)
            y = x.load(fromByteOffset: 192, as: __m512.self)
            a3 = _mm512_fmadd_ps(p, y, a3)
            b3 = _mm512_fmadd_ps(q, y, b3)
            c3 = _mm512_fmadd_ps(r, y, c3)
        }

        /// Stores them to `lanes`: [3 rows][tokens of a pass][16].
        @inline(__always)
        func store(_ lanes: UnsafeMutableRawPointer) {
            save(lanes, a0, a1, a2, a3)
            save(lanes + 64 &* Span.passTokens, b0, b1, b2, b3)
            save(lanes + 128 &* Span.passTokens, c0, c1, c2, c3)
        }

        @inline(__always)
        private func save(_ at: UnsafeMutableRawPointer, _ x: __m512, _ y: __m512, _ z: __m512, _ v: __m512) {
            at.storeBytes(of: x, as: __m512.self)
            at.storeBytes(of: y, toByteOffset: 64, as: __m512.self)
            at.storeBytes(of: z, toByteOffset: 128, as: __m512.self)
            at.storeBytes(of: v, toByteOffset: 192, as: __m512.self)
        }
    }

    /// The sums of a packed span of three rows by `groups` times four tokens, with `lanes` to work in.
    @inline(__always)
    func spanSums(
        _ weights: UnsafeRawPointer, _ activations: UnsafeRawPointer, steps: Int, groups: Int,
        _ lanes: UnsafeMutableRawPointer
    ) -> (Floats, Floats, Floats) {
        // Of eight tokens all lanes fit the registers: each of the weights is loaded once, and the lanes are added where they are.
        var low = TileSums()
        var high = TileSums()
        var w = weights
        var x = activations
        if groups > 1 {
            var y = activations + 256 &* steps
            for _ in 0..<steps {
                let p = w.load(as: __m512.self)
                let q = w.load(fromByteOffset: 64, as: __m512.self)
                let r = w.load(fromByteOffset: 128, as: __m512.self)
                low.add(p, q, r, x)
                high.add(p, q, r, y)
                w += 192
                x += 256
                y += 256
            }
        } else {
            for _ in 0..<steps {
                low.add(
                    w.load(as: __m512.self), w.load(fromByteOffset: 64, as: __m512.self),
                    w.load(fromByteOffset: 128, as: __m512.self), x)
                w += 192
                x += 256
            }
        }
        return (
            summed(low.a0, low.a1, low.a2, low.a3, high.a0, high.a1, high.a2, high.a3),
            summed(low.b0, low.b1, low.b2, low.b3, high.b0, high.b1, high.b2, high.b3),
            summed(low.c0, low.c1, low.c2, low.c3, high.c0, high.c1, high.c2, high.c3)
        )
    }

    /// Two registers' lanes side by side, twice, added: of each the halves of its groups of `2 * distance` lanes onto one another.
    @inline(__always)
    private func halved(_ a: __m512, _ b: __m512, _ low: SIMD16<Int32>, _ high: SIMD16<Int32>) -> __m512 {
        let low = unsafeBitCast(low, to: __m512i.self)
        let high = unsafeBitCast(high, to: __m512i.self)
        return _mm512_add_ps(_mm512_permutex2var_ps(a, low, b), _mm512_permutex2var_ps(a, high, b))
    }

    /// The sums of the lanes of eight tokens, each as a tree, halves onto halves: the order of `folded`.
    @inline(__always)
    private func summed(
        _ t0: __m512, _ t1: __m512, _ t2: __m512, _ t3: __m512, _ t4: __m512, _ t5: __m512, _ t6: __m512,
        _ t7: __m512
    ) -> Floats {
        let eights = (
            low: SIMD16<Int32>(0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
            high: SIMD16<Int32>(8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)
        )
        let fours = (
            low: SIMD16<Int32>(0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27),
            high: SIMD16<Int32>(4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31)
        )
        let twos = (
            low: SIMD16<Int32>(0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29),
            high: SIMD16<Int32>(2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31)
        )
        let v0 = halved(
            halved(t0, t1, eights.low, eights.high), halved(t2, t3, eights.low, eights.high), fours.low, fours.high)
        let v1 = halved(
            halved(t4, t5, eights.low, eights.high), halved(t6, t7, eights.low, eights.high), fours.low, fours.high)
        let pairs = halved(v0, v1, twos.low, twos.high)
        return pairs.evenHalf + pairs.oddHalf
    }

    /// Fewer than sixteen values, and zeros.
    @inline(__always)
    private func paddedSixteen<F: FloatFormat>(_ format: F.Type, _ p: UnsafeRawPointer, count: Int) -> __m512 {
        let halves = padded(F.self, p, count: count)
        return SIMD16<Float>(lowHalf: halves.low, highHalf: halves.high)
    }

    /// The sixteen lanes of a span of three rows as they lie by four tokens, to `lanes`: see `FloatFew.swift`. With every sixteen
    /// columns `share` bytes from `ahead` on are asked for.
    @inline(__always)
    func fewTile<F: FloatFormat>(
        _ format: F.Type, _ w0: UnsafeRawPointer, _ w1: UnsafeRawPointer, _ w2: UnsafeRawPointer,
        _ activations: UnsafeRawPointer, count: Int, _ lanes: UnsafeMutableRawPointer, ahead: UnsafeRawPointer,
        share: Int
    ) {
        var sums = TileSums()
        var x = activations
        var ahead = ahead
        var at = 0
        for step in 0..<(count &+ 15) / 16 {
            let isWhole = 16 &* step &+ 16 <= count
            prefetch(ahead, byteCount: share)
            ahead += share
            sums.add(
                isWhole ? F.sixteen(w0 + at) : paddedSixteen(F.self, w0 + at, count: count % 16),
                isWhole ? F.sixteen(w1 + at) : paddedSixteen(F.self, w1 + at, count: count % 16),
                isWhole ? F.sixteen(w2 + at) : paddedSixteen(F.self, w2 + at, count: count % 16), x)
            at &+= 16 &* F.byteCount
            x += 256
        }
        sums.store(lanes)
    }
#endif
