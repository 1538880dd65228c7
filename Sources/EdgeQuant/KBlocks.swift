// The k-quants, 256 values in sub-blocks with quantized scales, and the ternary types.

/// Q2_K: scales[16] (low nibble scale, high nibble minimum), qs[64] of two bits, d, dmin: d scale q - dmin minimum.
func decodeQ2K(_ bytes: Span<UInt8>, _ start: Int, _ at: Int, _ output: inout MutableSpan<Float>) {
    let d = bytes.half(start &+ 80)
    let minimum = bytes.half(start &+ 82)
    for i in 0..<16 {
        let scale = bytes[start &+ i]
        let factor = d * Float(scale & 15)
        let offset = minimum * Float(scale >> 4)
        // Sub-block i: half i / 8, two bits (i % 8) / 2, bytes from 16 (i % 2).
        let quants = start &+ 16 &+ 32 * (i / 8) &+ 16 * (i % 2)
        let shift = UInt8(i % 8 / 2 * 2)
        for l in 0..<16 {
            output[at &+ 16 * i &+ l] = factor * Float((bytes[quants &+ l] >> shift) & 3) - offset
        }
    }
}

/// Q3_K: hmask[32] (third bits, inverted), qs[64] of two bits, scales[12] of six bits, d: d (scale - 32) (q - 4).
func decodeQ3K(_ bytes: Span<UInt8>, _ start: Int, _ at: Int, _ output: inout MutableSpan<Float>) {
    let d = bytes.half(start &+ 108)
    for i in 0..<16 {
        let nibble = i < 8 ? bytes[start &+ 96 &+ i] & 15 : bytes[start &+ 96 &+ i &- 8] >> 4
        let top = (bytes[start &+ 104 &+ i % 4] >> UInt8(2 * (i / 4))) & 3
        let factor = d * Float(Int(nibble | (top << 4)) &- 32)
        let quants = start &+ 32 &+ 32 * (i / 8) &+ 16 * (i % 2)
        let shift = UInt8(i % 8 / 2 * 2)
        for l in 0..<16 {
            let third = (bytes[start &+ 16 * (i % 2) &+ l] >> UInt8(i / 2)) & 1
            let q = Int((bytes[quants &+ l] >> shift) & 3) &- (third == 1 ? 0 : 4)
            output[at &+ 16 * i &+ l] = factor * Float(q)
        }
    }
}

/// Q4_K: d, dmin, scales[12] (eight scales and eight minima of six bits), qs[128]. Q5_K: the same with qh[32] before qs:
/// d scale q - dmin minimum.
func decodeQ45K(
    _ bytes: Span<UInt8>, _ start: Int, _ at: Int, _ output: inout MutableSpan<Float>, hasHighBits: Bool
) {
    let d = bytes.half(start)
    let dmin = bytes.half(start &+ 2)
    let scales = start &+ 4
    let quants = start &+ (hasHighBits ? 48 : 16)
    for j in 0..<8 {
        let scale: UInt8
        let minimum: UInt8
        if j < 4 {
            scale = bytes[scales &+ j] & 63
            minimum = bytes[scales &+ j &+ 4] & 63
        } else {
            scale = bytes[scales &+ j &+ 4] & 15 | (bytes[scales &+ j &- 4] >> 6) << 4
            minimum = bytes[scales &+ j &+ 4] >> 4 | (bytes[scales &+ j] >> 6) << 4
        }
        let factor = d * Float(scale)
        let offset = dmin * Float(minimum)
        for l in 0..<32 {
            let byte = bytes[quants &+ 32 * (j / 2) &+ l]
            var q = j % 2 == 0 ? byte & 15 : byte >> 4
            if hasHighBits { q |= ((bytes[start &+ 16 &+ l] >> UInt8(j)) & 1) << 4 }
            output[at &+ 32 * j &+ l] = factor * Float(q) - offset
        }
    }
}

/// Q6_K: ql[128], qh[64], scales[16] signed, d: d scale (q - 32).
func decodeQ6K(_ bytes: Span<UInt8>, _ start: Int, _ at: Int, _ output: inout MutableSpan<Float>) {
    let d = bytes.half(start &+ 208)
    for part in 0..<8 {
        // Part: half part / 4; quarter of it part % 4.
        let half = part / 4
        let quarter = part % 4
        let low = start &+ 64 * half &+ 32 * (quarter % 2)
        let high = start &+ 128 &+ 32 * half
        for l in 0..<32 {
            let nibble = quarter < 2 ? bytes[low &+ l] & 15 : bytes[low &+ l] >> 4
            let top = (bytes[high &+ l] >> UInt8(2 * quarter)) & 3
            let scale = Float(bytes.i8(start &+ 192 &+ 8 * half &+ 2 * quarter &+ l / 16))
            output[at &+ 32 * part &+ l] = d * scale * Float(Int(nibble | (top << 4)) &- 32)
        }
    }
}

/// TQ1_0: qs[48] and qh[4], five (four) base-3 digits a byte as a fixed-point fraction, d: (digit - 1) d.
func decodeTQ1(_ bytes: Span<UInt8>, _ start: Int, _ at: Int, _ output: inout MutableSpan<Float>) {
    let d = bytes.half(start &+ 52)
    var next = at
    func digits(_ first: Int, _ count: Int, _ perByte: Int, _ output: inout MutableSpan<Float>) {
        var power: UInt8 = 1
        for _ in 0..<perByte {
            for m in 0..<count {
                let digit = (UInt16(bytes[first &+ m] &* power) &* 3) >> 8
                output[next] = Float(Int(digit) &- 1) * d
                next &+= 1
            }
            power = power &* 3
        }
    }
    digits(start, 32, 5, &output)
    digits(start &+ 32, 16, 5, &output)
    digits(start &+ 48, 4, 4, &output)
}

/// TQ2_0: qs[64] of two bits, d: (q - 1) d.
func decodeTQ2(_ bytes: Span<UInt8>, _ start: Int, _ at: Int, _ output: inout MutableSpan<Float>) {
    let d = bytes.half(start &+ 64)
    for i in 0..<8 {
        for m in 0..<32 {
            let q = (bytes[start &+ 32 * (i / 4) &+ m] >> UInt8(2 * (i % 4))) & 3
            output[at &+ 32 * i &+ m] = Float(Int(q) &- 1) * d
        }
    }
}
