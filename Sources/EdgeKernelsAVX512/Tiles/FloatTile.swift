#if arch(x86_64)
    internal import _Builtin_intrinsics.intel

    // The tile of three rows by four tokens of floats, for registers of 512 bits: see `FloatProduct.swift`.

    /// Where a packed span has what a tile reads: [groups of sixteen columns][rows or tokens][16].
    enum SpanLayout {
        /// Bytes from a row to the next.
        @inline(__always) static var rowStride: Int { 64 }
        /// Bytes from the lower eight of sixteen columns to the upper eight.
        @inline(__always) static func highOffset(width: Int, steps: Int) -> Int { 32 }
        /// Bytes from sixteen columns to the next.
        @inline(__always) static func stepStride(width: Int) -> Int { 64 &* width }
    }

    /// The sixteen lanes of three rows by four tokens, to `lanes`: [3 rows][tokens of a pass][16].
    @inline(__always)
    func spanTile(
        _ weights: UnsafeRawPointer, _ activations: UnsafeRawPointer, steps: Int, _ lanes: UnsafeMutableRawPointer
    ) {
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
        var w = weights
        var x = activations
        for _ in 0..<steps {
            let p = w.load(as: __m512.self)
            let q = w.load(fromByteOffset: 64, as: __m512.self)
            let r = w.load(fromByteOffset: 128, as: __m512.self)
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
            w += 192
            x += 256
        }
        @inline(__always) func save(_ row: Int, _ x: __m512, _ y: __m512, _ z: __m512, _ v: __m512) {
            let at = lanes + 64 &* Span.passTokens &* row
            at.storeBytes(of: x, as: __m512.self)
            at.storeBytes(of: y, toByteOffset: 64, as: __m512.self)
            at.storeBytes(of: z, toByteOffset: 128, as: __m512.self)
            at.storeBytes(of: v, toByteOffset: 192, as: __m512.self)
        }
        save(0, a0, a1, a2, a3)
        save(1, b0, b1, b2, b3)
        save(2, c0, c1, c2, c3)
    }
#endif
