internal import EdgeKernelJobs
internal import EdgeQuant

/// Keys and values as codes: 32 components of one head at one position have a scale (a half) and 32 codes, of 8 or 4 bits.
///
/// A block of 32 positions holds, for each 32 components (the last padded with zeros), all codes and then behind all of them the scales
/// [components / 32, 32 positions]. Codes of keys are [position, component]; nibbles as in `Q4_0`: component i in the low, i + 16 in
/// the high half of a byte. Codes of values have two neighbouring positions together, [position / 2, component, 2], as their sum is over
/// positions; nibbles of components c and c + 8 share a byte.
enum CodedBlocks {
    static let length = AttentionJob.blockLength

    /// Groups of 32 components.
    static func groupCount(headSize: Int) -> Int { (headSize + 31) / 32 }

    /// Bytes of a part's codes for 32 components.
    static func codeByteCount(isNibbles: Bool) -> Int { isNibbles ? 512 : 1024 }

    /// Where the scales of a part begin.
    static func scales(_ part: UnsafeMutableRawPointer, headSize: Int, isNibbles: Bool) -> UnsafeMutablePointer<UInt16>
    {
        (part + groupCount(headSize: headSize) &* codeByteCount(isNibbles: isNibbles)).assumingMemoryBound(
            to: UInt16.self)
    }

    /// The scale of some values, and what to multiply them with for their codes. An infinity or NaN among them makes the scale NaN.
    private static func scale(
        _ source: UnsafePointer<Float>, count: Int, isNibbles: Bool
    ) -> (half: UInt16, inverse: Float) {
        var largest: Float = 0
        var signed: Float = 0
        var isFinite = true
        for i in 0..<count {
            let magnitude = source[i].magnitude
            if !(magnitude <= .greatestFiniteMagnitude) { isFinite = false }
            if magnitude > largest {
                largest = magnitude
                signed = source[i]
            }
        }
        guard isFinite else { return (0x7E00, 0) }
        // Of nibbles, -8 to 7, the largest value takes the -8.
        let half = Half.encode(isNibbles ? signed / -8 : largest / 127)
        let scale = Half.decode(half)
        return (half, scale == 0 || !scale.isFinite ? 0 : 1 / scale)
    }

    /// x / scale to the nearest integer, ties to even, as adding 1.5 * 2^23 makes the adder round; within the limits.
    private static func code(_ x: Float, _ inverse: Float, _ limits: ClosedRange<Float>) -> Int32 {
        let rounded = (x * inverse + 12_582_912) - 12_582_912
        return Int32(max(limits.lowerBound, min(limits.upperBound, rounded)))
    }

    /// Writes one position's key or value.
    static func encode(
        _ source: UnsafePointer<Float>, headSize: Int, into part: UnsafeMutableRawPointer, position: Int, isKey: Bool,
        isNibbles: Bool
    ) {
        let scales = scales(part, headSize: headSize, isNibbles: isNibbles)
        for group in 0..<groupCount(headSize: headSize) {
            let count = min(32, headSize &- 32 &* group)
            let values = source + 32 &* group
            let (half, inverse) = scale(values, count: count, isNibbles: isNibbles)
            scales[group &* length &+ position] = half
            let codes = (part + group &* codeByteCount(isNibbles: isNibbles)).assumingMemoryBound(to: UInt8.self)
            // A block that was not finite has codes of zero; so has the padding.
            func code(_ i: Int) -> Int32 {
                guard i < count, inverse != 0 else { return 0 }
                return Self.code(values[i], inverse, isNibbles ? -8...7 : -127...127)
            }
            if isNibbles {
                func nibble(_ i: Int) -> UInt8 { UInt8(truncatingIfNeeded: code(i) &+ 8) }
                if isKey {
                    for i in 0..<16 { codes[16 &* position &+ i] = nibble(i) | nibble(i &+ 16) &<< 4 }
                } else {
                    for i in 0..<16 {
                        let c = i & 7 | (i & 8) &<< 1
                        let place = (position / 2) &* 32 &+ 2 &* i &+ (position & 1)
                        codes[place] = nibble(c) | nibble(c &+ 8) &<< 4
                    }
                }
            } else {
                for i in 0..<32 {
                    let place = isKey ? 32 &* position &+ i : (position / 2) &* 64 &+ 2 &* i &+ (position & 1)
                    codes[place] = UInt8(truncatingIfNeeded: code(i))
                }
            }
        }
    }

    /// One component of one position; for tests.
    static func decode(
        _ part: UnsafeMutableRawPointer, headSize: Int, position: Int, component: Int, isKey: Bool, isNibbles: Bool
    ) -> Float {
        let (group, i) = (component / 32, component % 32)
        let scale = Half.decode(scales(part, headSize: headSize, isNibbles: isNibbles)[group * length + position])
        let codes = (part + group * codeByteCount(isNibbles: isNibbles)).assumingMemoryBound(to: UInt8.self)
        guard isNibbles else {
            let place = isKey ? 32 * position + i : position / 2 * 64 + 2 * i + position % 2
            return Float(Int8(bitPattern: codes[place])) * scale
        }
        let isHigh = isKey ? i >= 16 : i & 8 != 0
        let column = isKey ? i % 16 : i & 7 | (i & 16) >> 1
        let byte = codes[isKey ? 16 * position + column : position / 2 * 32 + 2 * column + position % 2]
        return Float(Int(isHigh ? byte >> 4 : byte & 15) - 8) * scale
    }
}
