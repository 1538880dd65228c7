// Q8_0: half d, 32 signed bytes.  value = q * d

func decodeQ8_0(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    for block in 0..<y.count / 32 {
        let b = x.extracting(block &* 34..<block &* 34 &+ 34)
        let d = b.half(0)
        for j in 0..<32 { y[block &* 32 &+ j] = Float(Int8(bitPattern: b[2 &+ j])) * d }
    }
}

/// d maps the largest magnitude to 127; halves round away from zero.
func encodeQ8_0(_ x: Span<Float>, _ y: inout MutableSpan<UInt8>) {
    for block in 0..<x.count / 32 {
        let from = block * 32
        let d = abs(extreme(x, from: from, count: 32)) / 127
        let id = inverse(d)
        y.storeHalf(d, at: block * 34)
        for j in 0..<32 {
            y[block * 34 + 2 + j] = UInt8(truncatingIfNeeded: roundedLevel(x[from + j] * id, limit: 127))
        }
    }
}
