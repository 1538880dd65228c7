// Encoders of the two IQ4 types: the scale search of ggml with weights x² and 15 trial scales.

/// The code nearest to `value`; a value halfway takes the upper.
@inline(__always)
private func nearestIQ4(_ value: Float) -> UInt8 {
    let table = iq4Table
    var code: UInt8 = 0
    for i in 1..<16 where value + value >= table[i - 1] + table[i] { code = UInt8(truncatingIfNeeded: i) }
    return code
}

/// The scale of 32 values that gives the smallest weighted error.
private func fitIQ4(_ x: Span<Float>, from: Int) -> Float {
    let largest = extreme(x, from: from, count: 32)
    guard abs(largest) >= smallestGroup else { return 0 }
    var scale: Float = 0
    var best: Float = 0
    // First the scale that maps the extreme to +127, then 15 that map it to about -127.
    for trial in -8...7 {
        let inverseScale = trial == -8 ? 1 / (-largest / -127) : (Float(trial) - 127) / largest
        var sumXQ: Float = 0
        var sumQQ: Float = 0
        for i in from..<from + 32 {
            let q = iq4Table[Int(nearestIQ4(inverseScale * x[i]))]
            let w = x[i] * x[i]
            sumXQ += w * q * x[i]
            sumQQ += w * q * q
        }
        if trial == -8 {
            scale = sumQQ > 0 ? sumXQ / sumQQ : 0
            best = scale * sumXQ
        } else if sumQQ > 0 && sumXQ * sumXQ > best * sumQQ {
            scale = sumXQ / sumQQ
            best = scale * sumXQ
        }
    }
    return scale
}

func encodeIQ4NL(_ x: Span<Float>, _ y: inout MutableSpan<UInt8>) {
    for block in 0..<x.count / 32 {
        let scale = fitIQ4(x, from: block * 32)
        y.storeHalf(scale, at: block * 18)
        storeIQ4(x, from: block * 32, inverse(scale), &y, at: block * 18 + 2)
    }
}

func encodeIQ4XS(_ x: Span<Float>, _ y: inout MutableSpan<UInt8>) {
    var scales = [Float](repeating: 0, count: 8)
    for block in 0..<x.count / 256 {
        let out = block * 136
        var maxScale: Float = 0
        for group in 0..<8 {
            scales[group] = fitIQ4(x, from: block * 256 + group * 32)
            if abs(scales[group]) > abs(maxScale) { maxScale = scales[group] }
        }
        let d = -maxScale / 32
        y.storeHalf(d, at: out)
        for i in 2..<8 { y[out + i] = 0 }
        for group in 0..<8 {
            let scale = nearest(inverse(d) * scales[group], -32, 31)
            let step = inverse(d * Float(scale))
            storeIQ4(x, from: block * 256 + group * 32, step, &y, at: out + 8 + group * 16)
            let packed = UInt8(truncatingIfNeeded: scale + 32)
            y[out + 4 + group / 2] |= (packed & 15) << UInt8(4 * (group % 2))
            y[out + 2 + group / 4] |= (packed >> 4) << UInt8(2 * (group % 4))
        }
    }
}

private func storeIQ4(
    _ x: Span<Float>, from: Int, _ inverseScale: Float, _ y: inout MutableSpan<UInt8>, at: Int
) {
    for j in 0..<16 {
        y[at + j] = nearestIQ4(inverseScale * x[from + j]) | nearestIQ4(inverseScale * x[from + j + 16]) << 4
    }
}
