// Four bits a value that choose from a table of 16. Nibbles lie as in Q4_0, 32 values at a time.
//
// IQ4_NL: half d, 16 bytes.   value = d * table[q]
// IQ4_XS: half d, u16 high, 4 bytes low, 128 bytes; 8 groups of 32. A group's scale has 4 low bits in a nibble of `low` and
//         2 high bits in `high`.  value = d * (scale - 32) * table[q]
// MXFP4:  u8 e, 16 bytes.     value = e2m1[q] * 2^(e - 128); the table holds twice the FP4 number (OCP MX specification).

/// The non-linear grid of IQ4: denser near zero, as weights are.
let iq4Table = SIMD16<Float>(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
/// Twice the numbers of FP4 E2M1. Code 8 is plus zero, as in ggml.
let mxfp4Table = SIMD16<Float>(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12)

func decodeIQ4NL(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    let table = iq4Table
    for block in 0..<y.count / 32 {
        let b = x.extracting(block &* 18..<block &* 18 &+ 18)
        let d = b.half(0)
        for j in 0..<16 {
            let q = b[2 &+ j]
            y[block &* 32 &+ j] = d * table[Int(q & 15)]
            y[block &* 32 &+ j &+ 16] = d * table[Int(q &>> 4)]
        }
    }
}

func decodeIQ4XS(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    let table = iq4Table
    for block in 0..<y.count / 256 {
        let b = x.extracting(block &* 136..<block &* 136 &+ 136)
        let d = b.half(0)
        let high = Int32(b.u16(2))
        for group in 0..<8 {
            let low = Int32(b[4 &+ group / 2] &>> UInt8(truncatingIfNeeded: 4 &* (group & 1))) & 15
            let scale = low | ((high &>> Int32(truncatingIfNeeded: 2 &* group)) & 3) &<< 4
            let dl = d * Float(scale &- 32)
            for j in 0..<16 {
                let q = b[8 &+ group &* 16 &+ j]
                y[block &* 256 &+ group &* 32 &+ j] = dl * table[Int(q & 15)]
                y[block &* 256 &+ group &* 32 &+ j &+ 16] = dl * table[Int(q &>> 4)]
            }
        }
    }
}

/// 2^(e - 128), the block exponent with the table's factor of two taken out; 2^-128 and 2^-127 are subnormal.
@inline(__always)
func mxfp4Scale(_ e: UInt8) -> Float {
    Float(bitPattern: e < 2 ? 0x0020_0000 &<< UInt32(e) : (UInt32(e) &- 1) &<< 23)
}

func decodeMXFP4(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    let table = mxfp4Table
    for block in 0..<y.count / 32 {
        let b = x.extracting(block &* 17..<block &* 17 &+ 17)
        let d = mxfp4Scale(b[0])
        for j in 0..<16 {
            let q = b[1 &+ j]
            y[block &* 32 &+ j] = table[Int(q & 15)] * d
            y[block &* 32 &+ j &+ 16] = table[Int(q &>> 4)] * d
        }
    }
}

/// The exponent puts the largest magnitude below 8 (4 is the last power of two FP4 has); each value takes the nearest
/// code, the first of equals. Below 2^-125 the exponent stays 0.
func encodeMXFP4(_ x: Span<Float>, _ y: inout MutableSpan<UInt8>) {
    for block in 0..<x.count / 32 {
        let largest = abs(extreme(x, from: block * 32, count: 32))
        let exponent = largest > 0 && largest.isFinite ? max(0, min(254, Int(largest.exponent) + 125)) : 0
        let e = UInt8(truncatingIfNeeded: exponent)
        let d = mxfp4Scale(e)
        y[block * 17] = e
        for j in 0..<16 {
            let low = nearestMXFP4(x[block * 32 + j], d)
            let high = nearestMXFP4(x[block * 32 + j + 16], d)
            y[block * 17 + 1 + j] = low | high << 4
        }
    }
}

@inline(__always)
private func nearestMXFP4(_ value: Float, _ d: Float) -> UInt8 {
    let table = mxfp4Table
    var best: UInt8 = 0
    var error = abs(table[0] * d - value)
    for code in UInt8(1)..<16 {
        let other = abs(table[Int(code)] * d - value)
        if other < error { (best, error) = (code, other) }
    }
    return best
}
