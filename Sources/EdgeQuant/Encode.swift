extension GGMLType {
    /// Whether values can be encoded to this type: so far, to every type that can be decoded.
    package var canEncode: Bool { true }

    /// Encodes f32 values to whole blocks, with the rounding of ggml's reference and no importance matrix.
    ///
    /// Values that are not finite never trap: integers clamp (NaN is 0), and a block with such a value holds meaningless
    /// numbers.
    /// - Throws: `lengthMismatch` unless `bytes.count` is `byteCount(valueCount: values.count)`.
    package func encode(_ values: Span<Float>, into bytes: inout MutableSpan<UInt8>) throws(QuantError) {
        guard byteCount(valueCount: values.count) == bytes.count else {
            throw .length(self, values: values.count, bytes: bytes.count)
        }
        switch self {
        case .f32: for i in 0..<values.count { bytes.store(UInt64(values[i].bitPattern), at: 4 * i, count: 4) }
        case .f64: for i in 0..<values.count { bytes.store(Double(values[i]).bitPattern, at: 8 * i, count: 8) }
        case .f16: for i in 0..<values.count { bytes.storeHalf(values[i], at: 2 * i) }
        case .bf16: for i in 0..<values.count { bytes.store(UInt64(BFloat.encode(values[i])), at: 2 * i, count: 2) }
        case .i8, .i16, .i32, .i64:
            let size = blockByteCount
            for i in 0..<values.count {
                bytes.store(UInt64(bitPattern: integer(values[i], bits: 8 * size)), at: size * i, count: size)
            }
        case .q4_0: encodeQ4_0(values, &bytes)
        case .q4_1: encodeQ4_1(values, &bytes)
        case .q5_0: encodeQ5_0(values, &bytes)
        case .q5_1: encodeQ5_1(values, &bytes)
        case .q8_0: encodeQ8_0(values, &bytes)
        case .tq1_0: encodeTQ1_0(values, &bytes)
        case .tq2_0: encodeTQ2_0(values, &bytes)
        case .mxfp4: encodeMXFP4(values, &bytes)
        case .iq4NL: encodeIQ4NL(values, &bytes)
        case .iq4XS: encodeIQ4XS(values, &bytes)
        case .q2K: encodeQ2K(values, &bytes)
        case .q3K: encodeQ3K(values, &bytes)
        case .q4K: encodeQ4K(values, &bytes)
        case .q5K: encodeQ5K(values, &bytes)
        case .q6K: encodeQ6K(values, &bytes)
        }
    }

    /// Encodes f32 values to an array of bytes.
    package func encode(_ values: [Float]) throws(QuantError) -> [UInt8] {
        guard let count = byteCount(valueCount: values.count) else {
            throw .length(self, values: values.count, bytes: 0)
        }
        var bytes = [UInt8](repeating: 0, count: count)
        var span = bytes.mutableSpan
        try encode(values.span, into: &span)
        return bytes
    }
}

/// Rounds to the nearest integer of so many bits, ties to even, clamped; NaN is 0.
private func integer(_ value: Float, bits: Int) -> Int64 {
    guard !value.isNaN else { return 0 }
    let limit = Int64.max >> (64 - Int64(bits))
    let rounded = value.rounded(.toNearestOrEven)
    // 2^(bits - 1) is a power of two, so exact in f32; anything below it converts.
    let bound = Float(sign: .plus, exponent: bits - 1, significand: 1)
    if rounded >= bound { return limit }
    if rounded < -bound { return -limit - 1 }
    return Int64(rounded)
}

/// Truncates to 0...limit, NaN to 0: what C's conversion gives in range, and no trap out of it.
@inline(__always)
func level(_ value: Float, limit: Int) -> UInt8 {
    value > 0 ? UInt8(truncatingIfNeeded: Int32(min(value, Float(limit)))) : 0
}

/// Rounds half away from zero within -limit...limit, NaN to 0.
@inline(__always)
func roundedLevel(_ value: Float, limit: Int) -> Int {
    guard !value.isNaN else { return 0 }
    return Int(max(-Float(limit), min(Float(limit), value.rounded(.toNearestOrAwayFromZero))))
}

/// The value of largest magnitude in `x[from..<from + count]`, the first of equals, with its sign; NaN is passed over.
@inline(__always)
func extreme(_ x: Span<Float>, from: Int, count: Int) -> Float {
    var largest: Float = 0
    for i in from..<from + count where abs(x[i]) > abs(largest) { largest = x[i] }
    return largest
}

/// Smallest and largest value in `x[from..<from + count]`; NaN is passed over.
@inline(__always)
func range(_ x: Span<Float>, from: Int, count: Int) -> (low: Float, high: Float) {
    var low = Float.greatestFiniteMagnitude
    var high = -Float.greatestFiniteMagnitude
    for i in from..<from + count {
        if x[i] < low { low = x[i] }
        if x[i] > high { high = x[i] }
    }
    return (low, high)
}

/// 1 / d, or 0 where the block is all zeros.
@inline(__always)
func inverse(_ d: Float) -> Float { d == 0 ? 0 : 1 / d }
