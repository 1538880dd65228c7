// Blocks of 32 values. In each file layout d is the scale (half), m a minimum (half), qs the packed quants: value j in the low
// nibble of byte j, value j + 16 in its high nibble.

/// Q4_0: d, qs[16]: (q - 8) d. Q4_1: d, m, qs[16]: q d + m.
func decodeQ4(
    _ bytes: Span<UInt8>, _ start: Int, _ at: Int, _ output: inout MutableSpan<Float>, hasMinimum: Bool
) {
    let d = bytes.half(start)
    let m = hasMinimum ? bytes.half(start &+ 2) : 0
    let quants = start &+ (hasMinimum ? 4 : 2)
    for j in 0..<16 {
        let q = bytes[quants &+ j]
        let low = Int(q & 15)
        let high = Int(q >> 4)
        output[at &+ j] = hasMinimum ? Float(low) * d + m : Float(low &- 8) * d
        output[at &+ j &+ 16] = hasMinimum ? Float(high) * d + m : Float(high &- 8) * d
    }
}

/// Q5_0: d, qh (32 fifth bits), qs[16]: (q - 16) d. Q5_1: d, m, qh, qs[16]: q d + m.
func decodeQ5(
    _ bytes: Span<UInt8>, _ start: Int, _ at: Int, _ output: inout MutableSpan<Float>, hasMinimum: Bool
) {
    let d = bytes.half(start)
    let m = hasMinimum ? bytes.half(start &+ 2) : 0
    let high = bytes.u32(start &+ (hasMinimum ? 4 : 2))
    let quants = start &+ (hasMinimum ? 8 : 6)
    for j in 0..<16 {
        let q = bytes[quants &+ j]
        let a = Int(q & 15) | (Int((high &>> UInt32(j)) & 1) &<< 4)
        let b = Int(q >> 4) | (Int((high &>> UInt32(j &+ 16)) & 1) &<< 4)
        output[at &+ j] = hasMinimum ? Float(a) * d + m : Float(a &- 16) * d
        output[at &+ j &+ 16] = hasMinimum ? Float(b) * d + m : Float(b &- 16) * d
    }
}

/// Q8_0: d, qs[32] signed: q d.
func decodeQ8(_ bytes: Span<UInt8>, _ start: Int, _ at: Int, _ output: inout MutableSpan<Float>) {
    let d = bytes.half(start)
    for j in 0..<32 { output[at &+ j] = Float(bytes.i8(start &+ 2 &+ j)) * d }
}

/// The sixteen levels of IQ4_NL and IQ4_XS.
@inline(__always) private func level(_ q: UInt8) -> Float {
    // Eight levels of a byte each, from the lowest up, as bit patterns of signed bytes.
    let negative: UInt64 = 0xF6EA_DDCF_BFAD_9881
    let positive: UInt64 = 0x7159_4535_2619_0D01
    let table = q < 8 ? negative : positive
    return Float(Int8(truncatingIfNeeded: table &>> (UInt64(q & 7) &* 8)))
}

/// IQ4_NL: d, qs[16]: d level(q).
func decodeIQ4NL(_ bytes: Span<UInt8>, _ start: Int, _ at: Int, _ output: inout MutableSpan<Float>) {
    let d = bytes.half(start)
    for j in 0..<16 {
        let q = bytes[start &+ 2 &+ j]
        output[at &+ j] = d * level(q & 15)
        output[at &+ j &+ 16] = d * level(q >> 4)
    }
}

/// IQ4_XS, 256 values: d, two high bits of eight scales, their low nibbles [4], qs[128]: d (scale - 32) level(q).
func decodeIQ4XS(_ bytes: Span<UInt8>, _ start: Int, _ at: Int, _ output: inout MutableSpan<Float>) {
    let d = bytes.half(start)
    let highs = Int(bytes.u16(start &+ 2))
    for block in 0..<8 {
        let low = Int(bytes[start &+ 4 &+ block / 2] >> UInt8(4 * (block % 2))) & 15
        let scale = d * Float((low | (((highs &>> (2 * block)) & 3) &<< 4)) &- 32)
        for j in 0..<16 {
            let q = bytes[start &+ 8 &+ 16 * block &+ j]
            output[at &+ 32 * block &+ j] = scale * level(q & 15)
            output[at &+ 32 * block &+ j &+ 16] = scale * level(q >> 4)
        }
    }
}

/// MXFP4: a power of two as one exponent byte, qs[16] of E2M1 values, stored doubled against a halved scale.
func decodeMXFP4(_ bytes: Span<UInt8>, _ start: Int, _ at: Int, _ output: inout MutableSpan<Float>) {
    let exponent = UInt32(bytes[start])
    let d = Float(bitPattern: exponent < 2 ? 0x0020_0000 &<< exponent : (exponent &- 1) &<< 23)
    func value(_ q: UInt8) -> Float {
        let magnitudes: UInt64 = 0x0C08_0604_0302_0100
        let magnitude = Int((magnitudes &>> (UInt64(q & 7) &* 8)) & 255)
        return Float(q < 8 ? magnitude : 0 &- magnitude)
    }
    for j in 0..<16 {
        let q = bytes[start &+ 1 &+ j]
        output[at &+ j] = value(q & 15) * d
        output[at &+ j &+ 16] = value(q >> 4) * d
    }
}
