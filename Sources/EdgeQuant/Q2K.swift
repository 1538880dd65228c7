// Q2_K: 16 bytes of scales, 64 bytes, half d, half dmin; 16 groups of 16 values.
//
// A scale byte holds the group's scale (low nibble) and minimum (high nibble). Each run of 32 bytes holds 128 values:
// bits 2s and 2s + 1 of byte l are value 32s + l.  value = d * scale * q - dmin * minimum

func decodeQ2K(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    for block in 0..<y.count / 256 {
        let b = x.extracting(block &* 84..<block &* 84 &+ 84)
        let d = b.half(80)
        let dmin = b.half(82)
        for group in 0..<16 {
            let scale = d * Float(b[group] & 15)
            let minimum = dmin * Float(b[group] &>> 4)
            let from = 16 &+ group / 8 &* 32 &+ (group & 1) &* 16
            let shift = UInt8(truncatingIfNeeded: group & 6)
            for l in 0..<16 {
                y[block &* 256 &+ group &* 16 &+ l] = scale * Float((b[from &+ l] &>> shift) & 3) - minimum
            }
        }
    }
}

func encodeQ2K(_ x: Span<Float>, _ y: inout MutableSpan<UInt8>) {
    let search = RangeSearch(top: 3, start: -0.5, step: 0.1, steps: 15, absoluteError: true)
    var levels = [Int32](repeating: 0, count: 256)
    var weights = [Float](repeating: 0, count: 16)
    var fits = [(scale: Float, minimum: Float)](repeating: (0, 0), count: 16)
    for block in 0..<x.count / 256 {
        let v = x.extracting(block * 256..<block * 256 + 256)
        let out = block * 84
        var maxScale: Float = 0
        var maxMinimum: Float = 0
        for group in 0..<16 {
            for l in 0..<16 { weights[l] = abs(v[group * 16 + l]) }
            fits[group] = fitScaleAndMinimum(v, from: group * 16, weights: weights, search: search, levels: &levels)
            if fits[group].scale > maxScale { maxScale = fits[group].scale }
            if fits[group].minimum > maxMinimum { maxMinimum = fits[group].minimum }
        }
        let d = asStored(maxScale > 0 ? maxScale / 15 : 0)
        let dmin = asStored(maxMinimum > 0 ? maxMinimum / 15 : 0)
        y.storeHalf(d, at: out + 80)
        y.storeHalf(dmin, at: out + 82)
        for group in 0..<16 {
            let scale = maxScale > 0 ? nearest(15 / maxScale * fits[group].scale) & 15 : 0
            let minimum = maxMinimum > 0 ? nearest(15 / maxMinimum * fits[group].minimum) & 15 : 0
            y[out + group] = UInt8(truncatingIfNeeded: scale | minimum << 4)
            let step = d * Float(scale)
            guard step != 0 else { continue }
            let offset = dmin * Float(minimum)
            for i in group * 16..<group * 16 + 16 { levels[i] = nearest((v[i] + offset) / step, 0, 3) }
        }
        y.storeCrumbs(levels, at: out + 16)
    }
}
