// Q6_K: 128 bytes of low nibbles, 64 bytes of high bits, 16 signed scales, half d; 16 groups of 16 values.
//
// Each half of 128 values has 64 low and 32 high bytes. Value 32k + l of it: low nibble (k < 2) or high nibble of low byte
// 32(k mod 2) + l, and bits 2k and 2k + 1 of high byte l.  value = d * scale * (q - 32)

func decodeQ6K(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    for block in 0..<y.count / 256 {
        let b = x.extracting(block &* 210..<block &* 210 &+ 210)
        let d = b.half(208)
        for group in 0..<16 {
            let scale = d * Float(Int8(bitPattern: b[192 &+ group]))
            let half = group / 8
            let k = (group & 7) / 2
            let from = (group & 1) &* 16
            let low = half &* 64 &+ (k & 1) &* 32 &+ from
            let lowShift = UInt8(truncatingIfNeeded: (k / 2) &* 4)
            let high = 128 &+ half &* 32 &+ from
            let highShift = UInt8(truncatingIfNeeded: 2 &* k)
            for l in 0..<16 {
                let q = (b[low &+ l] &>> lowShift) & 15 | ((b[high &+ l] &>> highShift) & 3) &<< 4
                y[block &* 256 &+ group &* 16 &+ l] = scale * Float(Int32(q) &- 32)
            }
        }
    }
}

func encodeQ6K(_ x: Span<Float>, _ y: inout MutableSpan<UInt8>) {
    var levels = [Int32](repeating: 0, count: 256)
    var scales = [Float](repeating: 0, count: 16)
    for block in 0..<x.count / 256 {
        let v = x.extracting(block * 256..<block * 256 + 256)
        let out = block * 210
        for i in 0..<210 { y[out + i] = 0 }
        var maxScale: Float = 0
        for group in 0..<16 {
            scales[group] = fitSymmetricScale(v, from: group * 16, levels: &levels)
            if abs(scales[group]) > abs(maxScale) { maxScale = scales[group] }
        }
        guard abs(maxScale) >= smallestGroup else { continue }
        let inverseScale = -128 / maxScale
        let d = asStored(1 / inverseScale)
        y.storeHalf(d, at: out + 208)
        for group in 0..<16 {
            let scale = Int8(truncatingIfNeeded: min(127, nearest(inverseScale * scales[group])))
            y[out + 192 + group] = UInt8(bitPattern: scale)
            let step = d * Float(scale)
            guard step != 0 else { continue }
            for i in group * 16..<group * 16 + 16 { levels[i] = nearest(v[i] / step, -32, 31) + 32 }
        }
        for i in 0..<256 {
            let (half, k, l) = (i / 128, i % 128 / 32, i % 32)
            let low = UInt8(truncatingIfNeeded: levels[i] & 15) << (k < 2 ? 0 : 4)
            y[out + half * 64 + k % 2 * 32 + l] |= low
            y[out + 128 + half * 32 + l] |= UInt8(truncatingIfNeeded: levels[i] >> 4) << UInt8(2 * k)
        }
    }
}
