/// IEEE 754 half precision, as bits: Swift's `Float16` is missing on Intel Macs.
package enum Half {
    /// The value, exactly; NaN keeps its sign and payload.
    @inline(__always) package static func decode(_ bits: UInt16) -> Float {
        let sign = UInt32(bits & 0x8000) &<< 16
        let rest = UInt32(bits & 0x7FFF) &<< 13
        if rest >= 0x0F80_0000 { return Float(bitPattern: sign | rest | 0x7F80_0000) }
        // Shifted by 2^-112 in exponent terms; the product is exact, subnormals included.
        let magnitude = Float(bitPattern: rest) * 0x1p112
        return Float(bitPattern: sign | magnitude.bitPattern)
    }

    /// The nearest half, ties to even; too large gives infinity, NaN a quiet NaN.
    @inline(__always) package static func encode(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        let sign = UInt16(truncatingIfNeeded: bits &>> 16) & 0x8000
        let magnitude = bits & 0x7FFF_FFFF
        if magnitude > 0x7F80_0000 { return sign | 0x7E00 | UInt16(truncatingIfNeeded: magnitude &>> 13) & 0x03FF }
        if magnitude >= 0x4780_0000 { return sign | 0x7C00 }
        if magnitude < 0x3880_0000 {
            // Subnormal half: adding 0.5 rounds the value to multiples of 2^-24 in the float's own arithmetic.
            let rounded = Float(bitPattern: magnitude) + 0.5
            return sign | UInt16(truncatingIfNeeded: rounded.bitPattern &- 0x3F00_0000)
        }
        let rounded = magnitude &+ 0x0FFF &+ ((magnitude &>> 13) & 1)
        return sign | UInt16(truncatingIfNeeded: (rounded &- 0x3800_0000) &>> 13)
    }
}

/// The upper half of a float.
package enum BFloat {
    @inline(__always) package static func decode(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) &<< 16) }

    /// The nearest, ties to even; NaN is made quiet.
    @inline(__always) package static func encode(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        if bits & 0x7FFF_FFFF > 0x7F80_0000 { return UInt16(truncatingIfNeeded: bits &>> 16) | 64 }
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits &>> 16) & 1)) &>> 16)
    }
}
