// Activations to int8, a block at a time: a = max |x| / 127, q = x * (1 / a) rounded to nearest, ties to even.
//
// A block that holds an infinity or NaN gets scale NaN and codes 0, so that every output of the token becomes NaN. A block too
// small for 1 / a to be finite (and one of zeros) becomes zeros.

@inline(__always)
private func quantize(
    _ x: UnsafePointer<Float>, _ count: Int, _ codes: UnsafeMutableRawPointer, _ scales: UnsafeMutablePointer<Float>,
    _ sums: UnsafeMutablePointer<Int16>, blockLength: Int
) {
    let source = UnsafeRawPointer(x)
    for block in 0..<count / blockLength {
        let from = source + 4 &* block &* blockLength
        var largest = SIMD8<UInt32>()
        for i in 0..<blockLength / 8 {
            // The bits of magnitudes order as their values do, with infinity and NaN on top.
            let bits = from.loadUnaligned(fromByteOffset: 32 &* i, as: SIMD8<UInt32>.self) & 0x7FFF_FFFF
            largest = largest.replacing(with: bits, where: bits .> largest)
        }
        var bits: UInt32 = 0
        for lane in 0..<8 { bits = max(bits, largest[lane]) }
        var scale = Float(bitPattern: bits) / 127
        var inverse = 1 / scale
        if bits >= 0x7F80_0000 {
            scale = .nan
            inverse = 0
        } else if inverse == .infinity {
            scale = 0
            inverse = 0
        }
        scales[block] = scale
        for sixteen in 0..<blockLength / 16 {
            let at = block &* blockLength &+ 16 &* sixteen
            var low = rounded(source.loadUnaligned(fromByteOffset: 4 &* at, as: Floats.self) * inverse)
            var high = rounded(source.loadUnaligned(fromByteOffset: 4 &* at &+ 32, as: Floats.self) * inverse)
            if bits >= 0x7F80_0000 {
                low = Words()
                high = Words()
            }
            var sum: Int32 = 0
            for lane in 0..<8 {
                codes.storeBytes(of: Int8(truncatingIfNeeded: low[lane]), toByteOffset: at &+ lane, as: Int8.self)
                codes.storeBytes(of: Int8(truncatingIfNeeded: high[lane]), toByteOffset: at &+ 8 &+ lane, as: Int8.self)
                sum &+= low[lane] &+ high[lane]
            }
            sums[at / 16] = Int16(truncatingIfNeeded: sum)
        }
    }
}

func quantizeBlocksOf32(
    _ x: UnsafePointer<Float>, _ count: Int, _ codes: UnsafeMutableRawPointer, _ scales: UnsafeMutablePointer<Float>,
    _ sums: UnsafeMutablePointer<Int16>
) {
    quantize(x, count, codes, scales, sums, blockLength: 32)
}

func quantizeBlocksOf256(
    _ x: UnsafePointer<Float>, _ count: Int, _ codes: UnsafeMutableRawPointer, _ scales: UnsafeMutablePointer<Float>,
    _ sums: UnsafeMutablePointer<Int16>
) {
    quantize(x, count, codes, scales, sums, blockLength: 256)
}
