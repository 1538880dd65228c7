// The tile of three rows by four tokens of floats, for sixteen registers of 256 bits: see `FloatProduct.swift`.

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
