// Ternary values -1, 0, 1 as digits 0, 1, 2; 256 values a block.  value = (digit - 1) * d
//
// TQ1_0: 48 bytes, 4 bytes, half d. A byte is a fixed-point fraction whose base-3 digits come out by multiplying with 3:
//        five digits for values in the first 52 bytes' groups (32 bytes, then 16), four for the last 4 bytes.
// TQ2_0: 64 bytes, half d. Two bits a digit; in each group of 32 bytes, bits 2n and 2n + 1 hold values 32n ... 32n + 31.

func decodeTQ1_0(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    for block in 0..<y.count / 256 {
        let b = x.extracting(block &* 54..<block &* 54 &+ 54)
        let d = b.half(52)
        var out = block &* 256
        decodeTrits(b, from: 0, bytes: 32, digits: 5, d, &y, &out)
        decodeTrits(b, from: 32, bytes: 16, digits: 5, d, &y, &out)
        decodeTrits(b, from: 48, bytes: 4, digits: 4, d, &y, &out)
    }
}

@inline(__always)
private func decodeTrits(
    _ b: Span<UInt8>, from: Int, bytes: Int, digits: Int, _ d: Float, _ y: inout MutableSpan<Float>, _ out: inout Int
) {
    var power: UInt8 = 1
    for _ in 0..<digits {
        for m in 0..<bytes {
            let fraction = b[from &+ m] &* power
            y[out &+ m] = Float(Int32((UInt16(fraction) &* 3) &>> 8) &- 1) * d
        }
        out &+= bytes
        power &*= 3
    }
}

func decodeTQ2_0(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    for block in 0..<y.count / 256 {
        let b = x.extracting(block &* 66..<block &* 66 &+ 66)
        let d = b.half(64)
        for group in 0..<2 {
            for n in 0..<4 {
                for m in 0..<32 {
                    let digit = (b[group &* 32 &+ m] &>> UInt8(truncatingIfNeeded: 2 &* n)) & 3
                    y[block &* 256 &+ group &* 128 &+ n &* 32 &+ m] = Float(Int32(digit) &- 1) * d
                }
            }
        }
    }
}

/// d is the largest magnitude.
func encodeTQ1_0(_ x: Span<Float>, _ y: inout MutableSpan<UInt8>) {
    for block in 0..<x.count / 256 {
        let d = abs(extreme(x, from: block * 256, count: 256))
        var from = block * 256
        var out = block * 54
        for (bytes, digits) in [(32, 5), (16, 5), (4, 4)] {
            for m in 0..<bytes {
                var number = 0
                for n in 0..<digits {
                    number = number * 3 + roundedLevel(x[from + m + n * bytes] * inverse(d), limit: 1) + 1
                }
                // Four digits leave the last of five places zero. Rounding up makes every digit come out exactly.
                if digits == 4 { number *= 3 }
                y[out + m] = UInt8(truncatingIfNeeded: (number * 256 + 242) / 243)
            }
            from += bytes * digits
            out += bytes
        }
        y.storeHalf(d, at: block * 54 + 52)
    }
}

/// d is the largest magnitude.
func encodeTQ2_0(_ x: Span<Float>, _ y: inout MutableSpan<UInt8>) {
    for block in 0..<x.count / 256 {
        let d = abs(extreme(x, from: block * 256, count: 256))
        for group in 0..<2 {
            for m in 0..<32 {
                var byte = 0
                for n in 0..<4 {
                    let value = x[block * 256 + group * 128 + n * 32 + m]
                    byte |= (roundedLevel(value * inverse(d), limit: 1) + 1) << (2 * n)
                }
                y[block * 66 + group * 32 + m] = UInt8(truncatingIfNeeded: byte)
            }
        }
        y.storeHalf(d, at: block * 66 + 64)
    }
}
