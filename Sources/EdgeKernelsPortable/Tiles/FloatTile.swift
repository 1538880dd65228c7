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

/// The sums of a packed span of three rows by `groups` times four tokens, with `lanes` to work in.
@inline(__always)
func spanSums(
    _ weights: UnsafeRawPointer, _ activations: UnsafeRawPointer, steps: Int, groups: Int,
    _ lanes: UnsafeMutableRawPointer
) -> (Floats, Floats, Floats) {
    for group in 0..<groups {
        let x = activations + 256 &* steps &* group
        let lanes = lanes + 256 &* group
        halfTile(weights, x, steps: steps, lanes)
        halfTile(weights + 96 &* steps, x + 128 &* steps, steps: steps, lanes + 32)
    }
    return (
        folded(lanes), folded(lanes + 64 &* Span.passTokens), folded(lanes + 128 &* Span.passTokens)
    )
}

/// Eight of the sixteen lanes of three rows by four tokens: twelve registers of sums, beside three of weights and one of activations.
private struct HalfSums {
    var a0 = Floats(), a1 = Floats(), a2 = Floats(), a3 = Floats()
    var b0 = Floats(), b1 = Floats(), b2 = Floats(), b3 = Floats()
    var c0 = Floats(), c1 = Floats(), c2 = Floats(), c3 = Floats()

    @inline(__always) init() {}

    /// Adds the products of three rows' values with those of four tokens at `x`, packed.
    @inline(__always)
    mutating func add(_ p: Floats, _ q: Floats, _ r: Floats, _ x: UnsafeRawPointer) {
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
    }

    /// Stores them to `lanes`: [3 rows][tokens of a pass][16].
    @inline(__always)
    func store(_ lanes: UnsafeMutableRawPointer) {
        save(lanes, a0, a1, a2, a3)
        save(lanes + 64 &* Span.passTokens, b0, b1, b2, b3)
        save(lanes + 128 &* Span.passTokens, c0, c1, c2, c3)
    }

    @inline(__always)
    private func save(_ at: UnsafeMutableRawPointer, _ x: Floats, _ y: Floats, _ z: Floats, _ v: Floats) {
        at.storeBytes(of: x, as: Floats.self)
        at.storeBytes(of: y, toByteOffset: 64, as: Floats.self)
        at.storeBytes(of: z, toByteOffset: 128, as: Floats.self)
        at.storeBytes(of: v, toByteOffset: 192, as: Floats.self)
    }
}

/// Half of the lanes of a packed span of three rows by four tokens, to `lanes`.
@inline(__always)
private func halfTile(
    _ weights: UnsafeRawPointer, _ activations: UnsafeRawPointer, steps: Int, _ lanes: UnsafeMutableRawPointer
) {
    var sums = HalfSums()
    var w = weights
    var x = activations
    for _ in 0..<steps {
        sums.add(
            w.load(as: Floats.self), w.load(fromByteOffset: SpanLayout.rowStride, as: Floats.self),
            w.load(fromByteOffset: 2 &* SpanLayout.rowStride, as: Floats.self), x)
        w += SpanLayout.stepStride(width: 3)
        x += SpanLayout.stepStride(width: 4)
    }
    sums.store(lanes)
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

/// Half of the lanes of a span of three rows as they lie by four tokens, to `lanes`.
@inline(__always)
private func fewHalf<F: FloatFormat>(
    _ format: F.Type, _ w0: UnsafeRawPointer, _ w1: UnsafeRawPointer, _ w2: UnsafeRawPointer,
    _ activations: UnsafeRawPointer, count: Int, isHigh: Bool, _ lanes: UnsafeMutableRawPointer,
    ahead: UnsafeRawPointer, share: Int
) {
    var sums = HalfSums()
    var x = activations
    var ahead = ahead
    var at = isHigh ? 8 &* F.byteCount : 0
    for _ in 0..<count / 16 {
        if !isHigh {
            prefetch(ahead, byteCount: share)
            ahead += share
        }
        sums.add(F.load(w0 + at), F.load(w1 + at), F.load(w2 + at), x)
        x += SpanLayout.stepStride(width: 4)
        at &+= 16 &* F.byteCount
    }
    let rest = count % 16
    if rest > 0 {
        let from = (count &- rest) &* F.byteCount
        let p = padded(F.self, w0 + from, count: rest)
        let q = padded(F.self, w1 + from, count: rest)
        let r = padded(F.self, w2 + from, count: rest)
        if isHigh { sums.add(p.high, q.high, r.high, x) } else { sums.add(p.low, q.low, r.low, x) }
    }
    sums.store(lanes)
}
