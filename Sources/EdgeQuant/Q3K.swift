// Q3_K: 32 bytes of high bits, 64 bytes, 12 bytes of scales, half d; 16 groups of 16 values.
//
// Low bits lie as in Q2_K. Bit k of high byte l belongs to value 32k + l; where it is clear, 4 is subtracted. A group's scale
// has its low 4 bits in a nibble of scale bytes 0...7 (groups 8...15 in the high nibbles) and 2 high bits in bytes 8...11.
// value = d * (scale - 32) * (q - 4)

/// The scale of a group, 0...63, from the 12 scale bytes at `at`.
@inline(__always)
func q3Scale(_ b: Span<UInt8>, at: Int, group: Int) -> Int32 {
    let low = group < 8 ? b[at &+ group] & 15 : b[at &+ group &- 8] &>> 4
    let high = (b[at &+ 8 &+ (group & 3)] &>> UInt8(truncatingIfNeeded: 2 &* (group / 4))) & 3
    return Int32(low | high &<< 4)
}

func decodeQ3K(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    for block in 0..<y.count / 256 {
        let b = x.extracting(block &* 110..<block &* 110 &+ 110)
        let d = b.half(108)
        for group in 0..<16 {
            let scale = d * Float(q3Scale(b, at: 96, group: group) &- 32)
            let from = (group & 1) &* 16
            let low = 32 &+ group / 8 &* 32 &+ from
            let shift = UInt8(truncatingIfNeeded: group & 6)
            let bit = UInt8(truncatingIfNeeded: group / 2)
            for l in 0..<16 {
                let q = (b[low &+ l] &>> shift) & 3 | ((b[from &+ l] &>> bit) & 1) &<< 2
                y[block &* 256 &+ group &* 16 &+ l] = scale * Float(Int32(q) &- 4)
            }
        }
    }
}

func encodeQ3K(_ x: Span<Float>, _ y: inout MutableSpan<UInt8>) {
    var levels = [Int32](repeating: 0, count: 256)
    var scales = [Float](repeating: 0, count: 16)
    for block in 0..<x.count / 256 {
        let v = x.extracting(block * 256..<block * 256 + 256)
        let out = block * 110
        var maxScale: Float = 0
        for group in 0..<16 {
            scales[group] = fitThreeBitScale(v, from: group * 16, levels: &levels)
            if abs(scales[group]) > abs(maxScale) { maxScale = scales[group] }
        }
        for i in 0..<110 { y[out + i] = 0 }
        let inverseScale = maxScale == 0 ? 0 : -32 / maxScale
        let d = asStored(maxScale == 0 ? 0 : 1 / inverseScale)
        y.storeHalf(d, at: out + 108)
        for group in 0..<16 {
            var scale: Int32 = -32
            if maxScale != 0 {
                scale = nearest(inverseScale * scales[group], -32, 31)
                let packed = scale + 32
                y[out + 96 + group % 8] |= UInt8(truncatingIfNeeded: (packed & 15) << (group < 8 ? 0 : 4))
                y[out + 104 + group % 4] |= UInt8(truncatingIfNeeded: (packed >> 4) << Int32(2 * (group / 4)))
            }
            let step = d * Float(scale)
            guard step != 0 else { continue }
            for i in group * 16..<group * 16 + 16 { levels[i] = nearest(v[i] / step, -4, 3) + 4 }
        }
        for i in 0..<256 where levels[i] > 3 { y[out + i % 32] |= 1 << UInt8(i / 32) }
        y.storeCrumbs(levels, at: out + 32)
    }
}
