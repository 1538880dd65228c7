// Five bits a value, 32 values a block. The low four lie as in Q4_0; bit j of a 32-bit word is the fifth of value j.
//
// Q5_0: half d, u32 high, 16 bytes.          value = (q - 16) * d
// Q5_1: half d, half m, u32 high, 16 bytes.  value = q * d + m

func decodeQ5_0(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    for block in 0..<y.count / 32 {
        let b = x.extracting(block &* 22..<block &* 22 &+ 22)
        let d = b.half(0)
        let high = b.u32(2)
        for j in 0..<16 {
            let q = UInt32(b[6 &+ j])
            let bit = UInt32(truncatingIfNeeded: j)
            let low = (q & 15) | ((high &>> bit) & 1) &<< 4
            let upper = (q &>> 4) | ((high &>> (bit &+ 16)) & 1) &<< 4
            y[block &* 32 &+ j] = Float(Int32(bitPattern: low) &- 16) * d
            y[block &* 32 &+ j &+ 16] = Float(Int32(bitPattern: upper) &- 16) * d
        }
    }
}

func decodeQ5_1(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    for block in 0..<y.count / 32 {
        let b = x.extracting(block &* 24..<block &* 24 &+ 24)
        let d = b.half(0)
        let m = b.half(2)
        let high = b.u32(4)
        for j in 0..<16 {
            let q = UInt32(b[8 &+ j])
            let bit = UInt32(truncatingIfNeeded: j)
            let low = (q & 15) | ((high &>> bit) & 1) &<< 4
            let upper = (q &>> 4) | ((high &>> (bit &+ 16)) & 1) &<< 4
            y[block &* 32 &+ j] = Float(Int32(bitPattern: low)) * d + m
            y[block &* 32 &+ j &+ 16] = Float(Int32(bitPattern: upper)) * d + m
        }
    }
}

/// d maps the value of largest magnitude to level 0, that is to -16.
func encodeQ5_0(_ x: Span<Float>, _ y: inout MutableSpan<UInt8>) {
    for block in 0..<x.count / 32 {
        let from = block * 32
        let d = extreme(x, from: from, count: 32) / -16
        let id = inverse(d)
        var high: UInt32 = 0
        y.storeHalf(d, at: block * 22)
        for j in 0..<16 {
            let a = level(x[from + j] * id + 16.5, limit: 31)
            let b = level(x[from + j + 16] * id + 16.5, limit: 31)
            y[block * 22 + 6 + j] = a & 15 | (b & 15) << 4
            high |= UInt32(a >> 4) << UInt32(j) | UInt32(b >> 4) << UInt32(j + 16)
        }
        y.store(UInt64(high), at: block * 22 + 2, count: 4)
    }
}

/// m is the minimum, and d maps the range to 0...31.
func encodeQ5_1(_ x: Span<Float>, _ y: inout MutableSpan<UInt8>) {
    for block in 0..<x.count / 32 {
        let from = block * 32
        let (minimum, maximum) = range(x, from: from, count: 32)
        let d = (maximum - minimum) / 31
        let id = inverse(d)
        var high: UInt32 = 0
        y.storeHalf(d, at: block * 24)
        y.storeHalf(minimum, at: block * 24 + 2)
        for j in 0..<16 {
            let a = level((x[from + j] - minimum) * id + 0.5, limit: 31)
            let b = level((x[from + j + 16] - minimum) * id + 0.5, limit: 31)
            y[block * 24 + 8 + j] = a & 15 | (b & 15) << 4
            high |= UInt32(a >> 4) << UInt32(j) | UInt32(b >> 4) << UInt32(j + 16)
        }
        y.store(UInt64(high), at: block * 24 + 4, count: 4)
    }
}
