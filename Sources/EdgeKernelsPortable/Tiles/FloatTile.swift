// The tile of three rows by four tokens of floats, for sixteen registers of 256 bits: see `FloatProduct.swift`.

/// Rows of 32 floats whose sums the registers hold, beside what is added: see `Attention.swift`.
@inline(__always) var rowsInRegisters: Int { 2 }

/// What the tiles of a room ask of a float format beside `FloatFormat`: of these, nothing.
protocol FloatTileFormat {}

/// Sixteen lanes.
typealias SpanLanes = (lowHalf: Floats, highHalf: Floats)
@inline(__always) var emptyLanes: SpanLanes { (Floats(), Floats()) }

/// Adds to lanes the products of `steps` times sixteen columns.
@inline(__always)
func addLanes<F: FloatFormat>(
    _ format: F.Type, _ w: UnsafeRawPointer, _ x: UnsafePointer<Float>, steps: Int, _ lanes: inout SpanLanes
) {
    for step in 0..<steps {
        let p = w + 16 &* F.byteCount &* step
        let y = UnsafeRawPointer(x + 16 &* step)
        lanes.lowHalf = multiplyAdd(F.load(p), y.loadUnaligned(as: Floats.self), lanes.lowHalf)
        lanes.highHalf = multiplyAdd(
            F.load(p + 8 &* F.byteCount), y.loadUnaligned(fromByteOffset: 32, as: Floats.self), lanes.highHalf)
    }
}

/// Where a packed span has what a tile reads: [2 halves][groups of sixteen columns][rows or tokens][8].
enum SpanLayout {
    /// Bytes from a row to the next.
    @inline(__always) static var rowStride: Int { 32 }
    /// Bytes from the lower eight of sixteen columns to the upper eight.
    @inline(__always) static func highOffset(width: Int, steps: Int) -> Int { 32 &* width &* steps }
    /// Bytes from sixteen columns to the next.
    @inline(__always) static func stepStride(width: Int) -> Int { 32 &* width }
}

/// The sixteen lanes of three rows by four tokens, to `lanes`: [3 rows][tokens of a pass][16].
@inline(__always)
func spanTile(
    _ weights: UnsafeRawPointer, _ activations: UnsafeRawPointer, steps: Int, _ lanes: UnsafeMutableRawPointer
) {
    halfTile(weights, activations, steps: steps, lanes)
    halfTile(weights + 96 &* steps, activations + 128 &* steps, steps: steps, lanes + 32)
}

/// Eight of the sixteen lanes of three rows by four tokens: twelve registers of sums, three of weights, one of activations.
///
/// The sums go to `lanes`: [3 rows][tokens of a pass][16].
@inline(__always)
private func halfTile(
    _ weights: UnsafeRawPointer, _ activations: UnsafeRawPointer, steps: Int, _ lanes: UnsafeMutableRawPointer
) {
    var a0 = Floats(), a1 = Floats(), a2 = Floats(), a3 = Floats()
    var b0 = Floats(), b1 = Floats(), b2 = Floats(), b3 = Floats()
    var c0 = Floats(), c1 = Floats(), c2 = Floats(), c3 = Floats()
    var w = weights
    var x = activations
    for _ in 0..<steps {
        let p = w.load(as: Floats.self)
        let q = w.load(fromByteOffset: 32, as: Floats.self)
        let r = w.load(fromByteOffset: 64, as: Floats.self)
        var y = x.load(as: Floats.self)
        a0 = multiplyAdd(p, y, a0)
        b0 = multiplyAdd(q, y, b0)
        c0 = multiplyAdd(r, y, c0)
        y = x.load(fromByteOffset: 32, as: Floats.self)
        a1 = multiplyAdd(p, y, a1)
        b1 = multiplyAdd(q, y, b1)
        c1 = multiplyAdd(r, y, c1)
        y = x.load(fromByteOffset: 64, as: Floats.self)
        a2 = multiplyAdd(p, y, a2)
        b2 = multiplyAdd(q, y, b2)
        c2 = multiplyAdd(r, y, c2)
        y = x.load(fromByteOffset: 96, as: Floats.self)
        a3 = multiplyAdd(p, y, a3)
        b3 = multiplyAdd(q, y, b3)
        c3 = multiplyAdd(r, y, c3)
        w += 96
        x += 128
    }
    @inline(__always) func save(_ row: Int, _ x: Floats, _ y: Floats, _ z: Floats, _ v: Floats) {
        let at = lanes + 64 &* Span.passTokens &* row
        at.storeBytes(of: x, as: Floats.self)
        at.storeBytes(of: y, toByteOffset: 64, as: Floats.self)
        at.storeBytes(of: z, toByteOffset: 128, as: Floats.self)
        at.storeBytes(of: v, toByteOffset: 192, as: Floats.self)
    }
    save(0, a0, a1, a2, a3)
    save(1, b0, b1, b2, b3)
    save(2, c0, c1, c2, c3)
}

/// The sixteen lanes of a span of three rows as they lie by four tokens, to `lanes`: see `FloatFew.swift`. With every sixteen columns
/// `share` bytes from `ahead` on are asked for.
@inline(__always)
func fewTile<F: FloatFormat>(
    _ format: F.Type, _ w0: UnsafeRawPointer, _ w1: UnsafeRawPointer, _ w2: UnsafeRawPointer,
    _ activations: UnsafeRawPointer, count: Int, _ lanes: UnsafeMutableRawPointer, ahead: UnsafeRawPointer, share: Int
) {
    let high = activations + SpanLayout.highOffset(width: 4, steps: (count &+ 15) / 16)
    fewHalf(F.self, w0, w1, w2, activations, count: count, isHigh: false, lanes, ahead: ahead, share: share)
    fewHalf(F.self, w0, w1, w2, high, count: count, isHigh: true, lanes + 32, ahead: ahead, share: share)
}

/// Eight of the sixteen lanes of a span of three rows by four tokens, to `lanes`: [3 rows][tokens of a pass][16].
@inline(__always)
private func fewHalf<F: FloatFormat>(
    _ format: F.Type, _ w0: UnsafeRawPointer, _ w1: UnsafeRawPointer, _ w2: UnsafeRawPointer,
    _ activations: UnsafeRawPointer, count: Int, isHigh: Bool, _ lanes: UnsafeMutableRawPointer,
    ahead: UnsafeRawPointer, share: Int
) {
    var a0 = Floats(), a1 = Floats(), a2 = Floats(), a3 = Floats()
    var b0 = Floats(), b1 = Floats(), b2 = Floats(), b3 = Floats()
    var c0 = Floats(), c1 = Floats(), c2 = Floats(), c3 = Floats()
    var x = activations
    @inline(__always) func add(_ p: Floats, _ q: Floats, _ r: Floats) {
        var y = x.load(as: Floats.self)
        a0 = multiplyAdd(p, y, a0)
        b0 = multiplyAdd(q, y, b0)
        c0 = multiplyAdd(r, y, c0)
        y = x.load(fromByteOffset: SpanLayout.rowStride, as: Floats.self)
        a1 = multiplyAdd(p, y, a1)
        b1 = multiplyAdd(q, y, b1)
        c1 = multiplyAdd(r, y, c1)
        y = x.load(fromByteOffset: 2 &* SpanLayout.rowStride, as: Floats.self)
        a2 = multiplyAdd(p, y, a2)
        b2 = multiplyAdd(q, y, b2)
        c2 = multiplyAdd(r, y, c2)
        y = x.load(fromByteOffset: 3 &* SpanLayout.rowStride, as: Floats.self)
        a3 = multiplyAdd(p, y, a3)
        b3 = multiplyAdd(q, y, b3)
        c3 = multiplyAdd(r, y, c3)
        x += SpanLayout.stepStride(width: 4)
    }
    var ahead = ahead
    var at = isHigh ? 8 &* F.byteCount : 0
    for _ in 0..<count / 16 {
        if !isHigh {
            prefetch(ahead, byteCount: share)
            ahead += share
        }
        add(F.load(w0 + at), F.load(w1 + at), F.load(w2 + at))
        at &+= 16 &* F.byteCount
    }
    let rest = count % 16
    if rest > 0 {
        let from = (count &- rest) &* F.byteCount
        let p = padded(F.self, w0 + from, count: rest)
        let q = padded(F.self, w1 + from, count: rest)
        let r = padded(F.self, w2 + from, count: rest)
        if isHigh { add(p.high, q.high, r.high) } else { add(p.low, q.low, r.low) }
    }
    @inline(__always) func save(_ row: Int, _ x: Floats, _ y: Floats, _ z: Floats, _ v: Floats) {
        let at = lanes + 64 &* Span.passTokens &* row
        at.storeBytes(of: x, as: Floats.self)
        at.storeBytes(of: y, toByteOffset: 64, as: Floats.self)
        at.storeBytes(of: z, toByteOffset: 128, as: Floats.self)
        at.storeBytes(of: v, toByteOffset: 192, as: Floats.self)
    }
    save(0, a0, a1, a2, a3)
    save(1, b0, b1, b2, b3)
    save(2, c0, c1, c2, c3)
}
