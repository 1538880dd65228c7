/// IEEE 754 half precision in a `UInt16`, because `Float16` is missing on Intel Macs.
///
/// Layout: sign, 5 exponent bits (bias 15), 10 fraction bits.
package enum Half {
    /// The exact value; a signalling NaN becomes quiet and keeps its payload, as on F16C hardware.
    @inline(__always)
    package static func decode(_ bits: UInt16) -> Float {
        let sign = UInt32(bits & 0x8000) &<< 16
        let magnitude = UInt32(bits & 0x7FFF)
        // Moved to the place of the f32 fields the number is 2^112 too small, subnormals included; the product is exact.
        let scaled = Float(bitPattern: magnitude &<< 13) * Float(bitPattern: 0x7780_0000)
        let special: UInt32 = magnitude > 0x7C00 ? 0x7FC0_0000 : 0x7F80_0000
        let result = magnitude >= 0x7C00 ? special | (magnitude &<< 13) : scaled.bitPattern
        return Float(bitPattern: sign | result)
    }

    /// Rounds to nearest, ties to even; too large becomes infinity, NaN becomes quiet.
    @inline(__always)
    package static func encode(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        let sign = UInt16(truncatingIfNeeded: (bits &>> 16) & 0x8000)
        let magnitude = bits & 0x7FFF_FFFF
        if magnitude > 0x7F80_0000 {
            return sign | 0x7E00 | UInt16(truncatingIfNeeded: (magnitude &>> 13) & 0x3FF)
        }
        // 65520 is halfway between the largest half and the next step.
        if magnitude >= 0x477F_F000 { return sign | 0x7C00 }
        if magnitude < 0x3880_0000 {
            // Below 2^-14 a step is 2^-24; adding 0.5, whose steps are 2^-24, makes the adder round.
            let rounded = Float(bitPattern: magnitude) + 0.5
            return sign | UInt16(truncatingIfNeeded: rounded.bitPattern &- 0x3F00_0000)
        }
        let odd = (magnitude &>> 13) & 1
        let rounded = magnitude &+ 0xFFF &+ odd &- 0x3800_0000
        return sign | UInt16(truncatingIfNeeded: rounded &>> 13)
    }
}

/// bfloat16 in a `UInt16`: the upper half of an f32.
package enum BFloat {
    /// The exact value, NaN payloads included.
    @inline(__always)
    package static func decode(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) &<< 16) }

    /// Rounds to nearest, ties to even; NaN keeps its upper bits and becomes quiet, as ggml does.
    @inline(__always)
    package static func encode(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        if bits & 0x7FFF_FFFF > 0x7F80_0000 { return UInt16(truncatingIfNeeded: bits &>> 16) | 0x40 }
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits &>> 16) & 1)) &>> 16)
    }
}
