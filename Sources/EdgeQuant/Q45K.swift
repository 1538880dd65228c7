// Q4_K: half d, half dmin, 12 bytes of scales, 128 bytes.
// Q5_K: half d, half dmin, 12 bytes of scales, 32 bytes of high bits, 128 bytes.
//
// Eight groups of 32 values. Each run of 32 bytes holds two groups: the even in low nibbles, the odd in high ones. Bit g of
// high byte l is the fifth bit of value l of group g.  value = d * scale * q - dmin * minimum
// Scales and minimums have 6 bits. Groups 0...3: bytes 0...3 and 4...7. Groups 4...7: nibbles of bytes 8...11 (scale low,
// minimum high), their upper two bits on top of bytes 0...3 and 4...7.

/// Scale and minimum of a group, 0...63 each, from the 12 bytes at offset 4.
@inline(__always)
func q4Scale(_ b: Span<UInt8>, group: Int) -> (scale: UInt8, minimum: UInt8) {
    if group < 4 { return (b[4 &+ group] & 63, b[8 &+ group] & 63) }
    let low = b[8 &+ group]
    return (low & 15 | (b[group] &>> 6) &<< 4, low &>> 4 | (b[4 &+ group] &>> 6) &<< 4)
}

func decodeQ4K(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    for block in 0..<y.count / 256 {
        let b = x.extracting(block &* 144..<block &* 144 &+ 144)
        let d = b.half(0)
        let dmin = b.half(2)
        for pair in 0..<4 {
            let (sa, ma) = q4Scale(b, group: 2 &* pair)
            let (sb, mb) = q4Scale(b, group: 2 &* pair &+ 1)
            let (scaleA, minimumA) = (d * Float(sa), dmin * Float(ma))
            let (scaleB, minimumB) = (d * Float(sb), dmin * Float(mb))
            let out = block &* 256 &+ pair &* 64
            for l in 0..<32 {
                let q = b[16 &+ pair &* 32 &+ l]
                y[out &+ l] = scaleA * Float(q & 15) - minimumA
                y[out &+ l &+ 32] = scaleB * Float(q &>> 4) - minimumB
            }
        }
    }
}

func decodeQ5K(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    for block in 0..<y.count / 256 {
        let b = x.extracting(block &* 176..<block &* 176 &+ 176)
        let d = b.half(0)
        let dmin = b.half(2)
        for pair in 0..<4 {
            let (sa, ma) = q4Scale(b, group: 2 &* pair)
            let (sb, mb) = q4Scale(b, group: 2 &* pair &+ 1)
            let (scaleA, minimumA) = (d * Float(sa), dmin * Float(ma))
            let (scaleB, minimumB) = (d * Float(sb), dmin * Float(mb))
            let out = block &* 256 &+ pair &* 64
            let bit = UInt8(truncatingIfNeeded: 2 &* pair)
            for l in 0..<32 {
                let q = b[48 &+ pair &* 32 &+ l]
                let high = b[16 &+ l] &>> bit
                y[out &+ l] = scaleA * Float(q & 15 | (high & 1) &<< 4) - minimumA
                y[out &+ l &+ 32] = scaleB * Float(q &>> 4 | (high & 2) &<< 3) - minimumB
            }
        }
    }
}

func encodeQ4K(_ x: Span<Float>, _ y: inout MutableSpan<UInt8>) {
    let search = RangeSearch(top: 15, start: -1, step: 0.1, steps: 20, absoluteError: false)
    var levels = [Int32](repeating: 0, count: 256)
    for block in 0..<x.count / 256 {
        encodeScales(x, block: block, search: search, levels: &levels, &y, at: block * 144)
        storeNibbles(levels, &y, at: block * 144 + 16)
    }
}

func encodeQ5K(_ x: Span<Float>, _ y: inout MutableSpan<UInt8>) {
    let search = RangeSearch(top: 31, start: -0.5, step: 0.1, steps: 15, absoluteError: false)
    var levels = [Int32](repeating: 0, count: 256)
    for block in 0..<x.count / 256 {
        let out = block * 176
        encodeScales(x, block: block, search: search, levels: &levels, &y, at: out)
        storeNibbles(levels, &y, at: out + 48)
        for l in 0..<32 {
            var high: Int32 = 0
            for group in 0..<8 { high |= (levels[group * 32 + l] >> 4) << Int32(group) }
            y[out + 16 + l] = UInt8(truncatingIfNeeded: high)
        }
    }
}

/// Fits the groups of a block, stores d, dmin and the 12 scale bytes, and leaves the levels for the stored scales.
private func encodeScales(
    _ x: Span<Float>, block: Int, search: RangeSearch, levels: inout [Int32], _ y: inout MutableSpan<UInt8>, at out: Int
) {
    let v = x.extracting(block * 256..<block * 256 + 256)
    var weights = [Float](repeating: 0, count: 32)
    var fits = [(scale: Float, minimum: Float)](repeating: (0, 0), count: 8)
    var maxScale: Float = 0
    var maxMinimum: Float = 0
    for group in 0..<8 {
        var squares: Float = 0
        for l in 0..<32 { squares += v[group * 32 + l] * v[group * 32 + l] }
        let typical = (squares / 32).squareRoot()
        for l in 0..<32 { weights[l] = typical + abs(v[group * 32 + l]) }
        fits[group] = fitScaleAndMinimum(v, from: group * 32, weights: weights, search: search, levels: &levels)
        if fits[group].scale > maxScale { maxScale = fits[group].scale }
        if fits[group].minimum > maxMinimum { maxMinimum = fits[group].minimum }
    }
    let inverseScale = maxScale > 0 ? 63 / maxScale : 0
    let inverseMinimum = maxMinimum > 0 ? 63 / maxMinimum : 0
    let d = asStored(maxScale / 63)
    let dmin = asStored(maxMinimum / 63)
    y.storeHalf(d, at: out)
    y.storeHalf(dmin, at: out + 2)
    for group in 0..<8 {
        // Through a byte, as the reference does: a negative scale wraps and becomes 63.
        let scale = min(63, UInt8(truncatingIfNeeded: nearest(inverseScale * fits[group].scale)))
        let minimum = min(63, UInt8(truncatingIfNeeded: nearest(inverseMinimum * fits[group].minimum)))
        if group < 4 {
            y[out + 4 + group] = scale
            y[out + 8 + group] = minimum
        } else {
            y[out + 8 + group] = scale & 15 | (minimum & 15) << 4
            y[out + group] |= (scale >> 4) << 6
            y[out + 4 + group] |= (minimum >> 4) << 6
        }
        let step = d * Float(scale)
        guard step != 0 else { continue }
        let offset = dmin * Float(minimum)
        for i in group * 32..<group * 32 + 32 { levels[i] = nearest((v[i] + offset) / step, 0, search.top) }
    }
}

private func storeNibbles(_ levels: [Int32], _ y: inout MutableSpan<UInt8>, at: Int) {
    for pair in 0..<4 {
        for l in 0..<32 {
            let byte = levels[pair * 64 + l] & 15 | (levels[pair * 64 + l + 32] & 15) << 4
            y[at + pair * 32 + l] = UInt8(truncatingIfNeeded: byte)
        }
    }
}
