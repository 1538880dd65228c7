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

    /// The sixteen lanes of three rows by four tokens, to `lanes`: [3 rows][tokens of a pass][16].
    @inline(__always)
    func spanTile(
        _ weights: UnsafeRawPointer, _ activations: UnsafeRawPointer, steps: Int, _ lanes: UnsafeMutableRawPointer
    ) {
        var sums = TileSums()
        var w = weights
        var x = activations
        for _ in 0..<steps {
            sums.add(
                w.load(as: __m512.self), w.load(fromByteOffset: 64, as: __m512.self),
                w.load(fromByteOffset: 128, as: __m512.self), x)
            w += 192
            x += 256
        }
        sums.store(lanes)
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
