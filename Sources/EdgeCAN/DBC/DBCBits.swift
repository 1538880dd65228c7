/// Where the bits of a signal lie in the bytes of a frame.
enum DBCBits {
    /// The place of a bit in the order in which a big-endian signal goes through the bytes: bit 7 of byte 0 is the first.
    static func bigEndianStart(_ startBit: Int) -> Int { startBit / 8 * 8 + 7 - startBit % 8 }

    /// The bits of each byte that belong to a signal.
    static func bits(of signal: DBCSignal) -> [Int: UInt8] {
        var masks: [Int: UInt8] = [:]
        let start = signal.byteOrder == .bigEndian ? bigEndianStart(signal.startBit) : signal.startBit
        for place in start..<start + signal.bitCount {
            let bit = signal.byteOrder == .bigEndian ? 7 - place % 8 : place % 8
            masks[place / 8, default: 0] |= 1 << UInt8(bit)
        }
        return masks
    }

    /// The bits of a signal as a number, which all lie in `data`.
    static func read(_ data: [UInt8], _ signal: DBCSignal) -> UInt64 {
        var result: UInt64 = 0
        var left = signal.bitCount
        if signal.byteOrder == .bigEndian {
            var place = bigEndianStart(signal.startBit)
            while left > 0 {
                let count = min(left, 8 - place % 8)
                let bits = UInt64(data[place / 8]) >> UInt64(8 - place % 8 - count) & (1 << UInt64(count) - 1)
                result = result << UInt64(count) | bits
                place += count
                left -= count
            }
        } else {
            var place = signal.startBit
            while left > 0 {
                let count = min(left, 8 - place % 8)
                let bits = UInt64(data[place / 8]) >> UInt64(place % 8) & (1 << UInt64(count) - 1)
                result |= bits << UInt64(signal.bitCount - left)
                place += count
                left -= count
            }
        }
        return result
    }

    /// Puts the lowest bits of a number where the bits of a signal are, which all lie in `data`.
    static func write(_ value: UInt64, _ data: inout [UInt8], _ signal: DBCSignal) {
        var left = signal.bitCount
        var place = signal.byteOrder == .bigEndian ? bigEndianStart(signal.startBit) : signal.startBit
        while left > 0 {
            let count = min(left, 8 - place % 8)
            let mask: UInt64 = 1 << UInt64(count) - 1
            let (bits, shift) =
                signal.byteOrder == .bigEndian
                ? (value >> UInt64(left - count) & mask, 8 - place % 8 - count)
                : (value >> UInt64(signal.bitCount - left) & mask, place % 8)
            data[place / 8] = data[place / 8] & ~UInt8(mask << UInt64(shift)) | UInt8(bits << UInt64(shift))
            place += count
            left -= count
        }
    }
}
