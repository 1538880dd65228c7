// Four bits a value, 32 values a block. Byte j of the 16 holds value j in its low and value j + 16 in its high nibble.
//
// Q4_0: half d, 16 bytes.          value = (q - 8) * d
// Q4_1: half d, half m, 16 bytes.  value = q * d + m

func decodeQ4_0(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    for block in 0..<y.count / 32 {
        let b = x.extracting(block &* 18..<block &* 18 &+ 18)
        let d = b.half(0)
        for j in 0..<16 {
            let q = Int32(b[2 &+ j])
            y[block &* 32 &+ j] = Float((q & 15) &- 8) * d
            y[block &* 32 &+ j &+ 16] = Float((q &>> 4) &- 8) * d
        }
    }
}

func decodeQ4_1(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    for block in 0..<y.count / 32 {
        let b = x.extracting(block &* 20..<block &* 20 &+ 20)
        let d = b.half(0)
        let m = b.half(2)
        for j in 0..<16 {
            let q = Int32(b[4 &+ j])
            y[block &* 32 &+ j] = Float(q & 15) * d + m
            y[block &* 32 &+ j &+ 16] = Float(q &>> 4) * d + m
        }
    }
}

/// d maps the value of largest magnitude to level 0, that is to -8.
func encodeQ4_0(_ x: Span<Float>, _ y: inout MutableSpan<UInt8>) {
    for block in 0..<x.count / 32 {
        let from = block * 32
        let d = extreme(x, from: from, count: 32) / -8
        let id = inverse(d)
        y.storeHalf(d, at: block * 18)
        for j in 0..<16 {
            let low = level(x[from + j] * id + 8.5, limit: 15)
            let high = level(x[from + j + 16] * id + 8.5, limit: 15)
            y[block * 18 + 2 + j] = low | high << 4
        }
    }
}

/// m is the minimum, and d maps the range to 0...15.
func encodeQ4_1(_ x: Span<Float>, _ y: inout MutableSpan<UInt8>) {
    for block in 0..<x.count / 32 {
        let from = block * 32
        let (minimum, maximum) = range(x, from: from, count: 32)
        let d = (maximum - minimum) / 15
        let id = inverse(d)
        y.storeHalf(d, at: block * 20)
        y.storeHalf(minimum, at: block * 20 + 2)
        for j in 0..<16 {
            let low = level((x[from + j] - minimum) * id + 0.5, limit: 15)
            let high = level((x[from + j + 16] - minimum) * id + 0.5, limit: 15)
            y[block * 20 + 4 + j] = low | high << 4
        }
    }
}
