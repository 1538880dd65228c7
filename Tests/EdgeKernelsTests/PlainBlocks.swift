import EdgeQuant

/// One block of encoded weights taken apart, by the formats' descriptions and nothing else: the slow twin of the kernels.
///
/// Value i is `factor * integers[i] + minimumFactor * minimums[i / 16]`, the integer scales and offsets being part of `integers`.
struct PlainBlock {
    var integers: [Int64] = []
    var factor: Float = 0
    /// Of each 16 values; empty where the format has none.
    var minimums: [Int64] = []
    var minimumFactor: Float = 0

    init(_ type: GGMLType, _ b: ArraySlice<UInt8>) {
        let b = Array(b)
        func half(_ at: Int) -> Float { Half.decode(UInt16(b[at]) | UInt16(b[at + 1]) << 8) }
        func bit(_ at: Int, _ i: Int) -> Int64 { Int64(b[at + i / 8] >> UInt8(i % 8) & 1) }
        func nibble(_ at: Int, _ i: Int) -> Int64 { Int64(i < 16 ? b[at + i] & 15 : b[at + i - 16] >> 4) }
        func bits(_ at: Int, _ shift: Int, _ mask: UInt8) -> Int64 { Int64(b[at] >> UInt8(shift) & mask) }
        let iq4: [Int64] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]
        let fp4: [Int64] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12]

        switch type {
        case .q4_0:
            factor = half(0)
            integers = (0..<32).map { nibble(2, $0) - 8 }
        case .q4_1:
            (factor, minimumFactor, minimums) = (half(0), half(2), [1, 1])
            integers = (0..<32).map { nibble(4, $0) }
        case .q5_0:
            factor = half(0)
            integers = (0..<32).map { nibble(6, $0) + 16 * bit(2, $0) - 16 }
        case .q5_1:
            (factor, minimumFactor, minimums) = (half(0), half(2), [1, 1])
            integers = (0..<32).map { nibble(8, $0) + 16 * bit(4, $0) }
        case .q8_0:
            factor = half(0)
            integers = (0..<32).map { Int64(Int8(bitPattern: b[2 + $0])) }
        case .iq4NL:
            factor = half(0)
            integers = (0..<32).map { iq4[Int(nibble(2, $0))] }
        case .mxfp4:
            // Twice the FP4 number, so half the power 2^(e - 127).
            factor =
                b[0] == 0
                ? 0x1p-128 : b[0] == 1 ? 0x1p-127 : Float(sign: .plus, exponent: Int(b[0]) - 128, significand: 1)
            integers = (0..<32).map { fp4[Int(nibble(1, $0))] }
        case .q2K:
            (factor, minimumFactor) = (half(80), -half(82))
            minimums = (0..<16).map { Int64(b[$0] >> 4) }
            integers = (0..<256).map { i in
                bits(16 + i / 128 * 32 + i % 32, i % 128 / 32 * 2, 3) * Int64(b[i / 16] & 15)
            }
        case .q3K:
            factor = half(108)
            let scales = (0..<16).map { g -> Int64 in
                let low = g < 8 ? b[96 + g] & 15 : b[96 + g - 8] >> 4
                return Int64(low) + 16 * bits(104 + g % 4, g / 4 * 2, 3) - 32
            }
            integers = (0..<256).map { i in
                let low = bits(32 + i / 128 * 32 + i % 32, i % 128 / 32 * 2, 3)
                return (low + 4 * bits(i % 32, i / 32, 1) - 4) * scales[i / 16]
            }
        case .q4K, .q5K:
            (factor, minimumFactor) = (half(0), -half(2))
            let pairs = (0..<8).map { g -> (Int64, Int64) in
                if g < 4 { return (Int64(b[4 + g] & 63), Int64(b[8 + g] & 63)) }
                let low = b[8 + g]
                return (Int64(low & 15) + Int64(b[g] >> 6) * 16, Int64(low >> 4) + Int64(b[4 + g] >> 6) * 16)
            }
            minimums = (0..<16).map { pairs[$0 / 2].1 }
            let low = type == .q4K ? 16 : 48
            integers = (0..<256).map { i in
                var q = bits(low + i / 64 * 32 + i % 32, i / 32 % 2 * 4, 15)
                if type == .q5K { q += 16 * bits(16 + i % 32, i / 32, 1) }
                return q * pairs[i / 32].0
            }
        case .q6K:
            factor = half(208)
            integers = (0..<256).map { i in
                let (half, k, l) = (i / 128, i % 128 / 32, i % 32)
                let q = bits(half * 64 + k % 2 * 32 + l, k / 2 * 4, 15) + 16 * bits(128 + half * 32 + l, 2 * k, 3)
                return (q - 32) * Int64(Int8(bitPattern: b[192 + i / 16]))
            }
        case .iq4XS:
            factor = half(0)
            let high = UInt16(b[2]) | UInt16(b[3]) << 8
            integers = (0..<256).map { i in
                let g = i / 32
                let scale = bits(4 + g / 2, g % 2 * 4, 15) + 16 * Int64(high >> UInt16(2 * g) & 3) - 32
                return iq4[Int(nibble(8 + 16 * g, i % 32))] * scale
            }
        case .tq1_0:
            factor = half(52)
            for (from, count, digits) in [(0, 32, 5), (32, 16, 5), (48, 4, 4)] {
                for digit in 0..<digits {
                    for m in 0..<count {
                        let power: [UInt8] = [1, 3, 9, 27, 81]
                        integers.append(Int64(UInt16(b[from + m] &* power[digit]) * 3 / 256) - 1)
                    }
                }
            }
        case .tq2_0:
            factor = half(64)
            integers = (0..<256).map { i in bits(i / 128 * 32 + i % 32, i % 128 / 32 * 2, 3) - 1 }
        default:
            break
        }
    }
}

/// The plain product of one row of blocks with one row of quantized activations: exact integers, and the float steps in the
/// order that the kernels promise.
func plainProduct(_ row: [PlainBlock], codes: [Int8], scales: [Float]) -> Float {
    var result: Float = 0
    var from = 0
    for (block, plain) in row.enumerated() {
        let length = plain.integers.count
        var total: Int64 = 0
        for i in 0..<length { total += plain.integers[i] * Int64(codes[from + i]) }
        result = result + Float(total) * (plain.factor * scales[block])
        if !plain.minimums.isEmpty {
            var sum: Int64 = 0
            for i in 0..<length { sum += plain.minimums[i / 16] * Int64(codes[from + i]) }
            result = result + Float(sum) * (plain.minimumFactor * scales[block])
        }
        from += length
    }
    return result
}
