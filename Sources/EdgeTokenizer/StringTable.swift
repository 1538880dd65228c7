/// Byte strings with ids 0, 1, 2 … in one buffer, and a hash table from bytes to id.
///
/// The hash is FNV-1a, because it runs on: the hash of a concatenation continues that of its left half.
struct StringTable: Sendable {
    private(set) var strings: PackedStrings
    /// Slots of hash (upper 32 bits) and id + 1 (lower 32); 0 is empty. The count is a power of two.
    private var slots: [UInt64]
    private var used = 0
    private(set) var longest = 0

    static let seed: UInt64 = 0xCBF2_9CE4_8422_2325

    /// Room for `capacity` strings of together `bytes` bytes, before the table must grow.
    init(capacity: Int, bytes: Int = 0) {
        strings = PackedStrings()
        strings.ends.reserveCapacity(capacity)
        strings.bytes.reserveCapacity(bytes)
        var size = 16
        while size < capacity * 2 { size *= 2 }
        slots = [UInt64](repeating: 0, count: size)
    }

    var count: Int { strings.count }

    @inline(__always)
    static func step(_ hash: UInt64, _ byte: UInt8) -> UInt64 { (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }

    @inline(__always)
    static func hash(_ bytes: [UInt8], _ range: Range<Int>) -> UInt64 {
        var hash = seed
        for index in range { hash = step(hash, bytes[index]) }
        return hash
    }

    /// The upper half of the hash is better mixed than the lower.
    @inline(__always)
    private static func spread(_ hash: UInt64) -> UInt64 { ((hash ^ hash >> 29) &* 0x9E37_79B9_7F4A_7C15) >> 32 }

    /// Id of the string `bytes[range]`, or -1.
    @inline(__always)
    func find(_ bytes: [UInt8], _ range: Range<Int>, hash: UInt64) -> Int32 {
        let mark = Self.spread(hash)
        let mask = slots.count - 1
        var slot = Int(mark) & mask
        while true {
            let entry = slots[slot]
            if entry == 0 { return -1 }
            let id = Int(entry & 0xFFFF_FFFF) - 1
            if entry >> 32 == mark && isEqual(id, bytes, range) { return Int32(truncatingIfNeeded: id) }
            slot = (slot + 1) & mask
        }
    }

    @inline(__always)
    func find(_ bytes: [UInt8], _ range: Range<Int>) -> Int32 {
        if range.count > longest { return -1 }
        return find(bytes, range, hash: Self.hash(bytes, range))
    }

    func find(_ text: String) -> Int32 {
        let bytes = Array(text.utf8)
        return find(bytes, 0..<bytes.count)
    }

    /// Id of the token that stands for a raw byte, `<0x00>` to `<0xFF>`, or -1.
    func findByteToken(_ byte: UInt8) -> Int32 {
        find("<0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true) + ">")
    }

    @inline(__always)
    private func isEqual(_ id: Int, _ bytes: [UInt8], _ range: Range<Int>) -> Bool {
        let own = strings.range(id)
        if own.count != range.count { return false }
        var index = 0
        while index < own.count && strings.bytes[own.lowerBound + index] == bytes[range.lowerBound + index] {
            index += 1
        }
        return index == own.count
    }

    /// The first of a few ids whose string equals `bytes[range]`, or -1.
    @inline(__always)
    func first(of ids: ClosedRange<Int>, equal bytes: [UInt8], _ range: Range<Int>) -> Int32 {
        for id in ids where id < strings.count && isEqual(id, bytes, range) { return Int32(truncatingIfNeeded: id) }
        return -1
    }

    /// Id of a string that may have this hash, or -1: a guess, for `looksLike` and `findOrAppend`.
    @inline(__always)
    func candidate(hash: UInt64) -> Int32 {
        let mark = Self.spread(hash)
        let entry = slots[Int(mark) & (slots.count - 1)]
        return entry >> 32 == mark ? Int32(truncatingIfNeeded: Int(entry & 0xFFFF_FFFF) - 1) : -1
    }

    /// The guess where its string has the length and the first byte of `bytes[range]`, else -1.
    @inline(__always)
    func looksLike(_ guess: Int32, _ bytes: [UInt8], _ range: Range<Int>) -> Int32 {
        guard guess >= 0, !range.isEmpty else { return -1 }
        let own = strings.range(Int(guess))
        return own.count == range.count && strings.bytes[own.lowerBound] == bytes[range.lowerBound] ? guess : -1
    }

    /// Id of the string `bytes[range]`, which is added where it is not known.
    @inline(__always)
    mutating func findOrAppend(_ bytes: [UInt8], _ range: Range<Int>, hash: UInt64, guess: Int32 = -1) -> Int32 {
        if guess >= 0 && isEqual(Int(guess), bytes, range) { return guess }
        let known = find(bytes, range, hash: hash)
        if known >= 0 { return known }
        append(bytes, range, hash: hash)
        return Int32(truncatingIfNeeded: count - 1)
    }

    /// Adds the next string. Where an equal one is known, or `isHidden`, it gets an id that `find` never returns.
    mutating func append(_ bytes: [UInt8], _ range: Range<Int>, isHidden: Bool = false) {
        append(bytes, range, hash: Self.hash(bytes, range), isHidden: isHidden)
    }

    /// As above, with the hash of the string.
    mutating func append(_ bytes: [UInt8], _ range: Range<Int>, hash: UInt64, isHidden: Bool = false) {
        let isKnown = isHidden || find(bytes, range, hash: hash) >= 0
        strings.bytes.append(contentsOf: bytes[range])
        strings.ends.append(strings.bytes.count)
        if isKnown { return }
        longest = max(longest, range.count)
        if (used + 1) * 2 > slots.count { grow() }
        place(UInt64(strings.count), Self.spread(hash))
        used += 1
    }

    private mutating func place(_ idPlusOne: UInt64, _ mark: UInt64) {
        let mask = slots.count - 1
        var slot = Int(mark) & mask
        while slots[slot] != 0 { slot = (slot + 1) & mask }
        slots[slot] = mark << 32 | idPlusOne
    }

    private mutating func grow() {
        let old = slots
        slots = [UInt64](repeating: 0, count: old.count * 2)
        for entry in old where entry != 0 { place(entry & 0xFFFF_FFFF, entry >> 32) }
    }
}
