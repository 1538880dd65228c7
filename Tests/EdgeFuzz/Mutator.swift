import EdgeTestSupport

/// Makes a damaged file out of start files; what it does follows from the generator alone.
struct Mutator {
    struct Start {
        let bytes: [UInt8]
        let map: FieldMap

        init(_ bytes: [UInt8]) {
            self.bytes = bytes
            map = FieldMap(bytes)
        }
    }

    let starts: [Start]
    /// Mutated files do not grow beyond this.
    static let mostBytes = 1 << 20

    /// The file of one iteration.
    func mutated(seed: UInt64, iteration: Int) -> [UInt8] {
        // Two rounds of the generator keep the streams of neighbouring seeds and iterations apart.
        var mixer = SplitMix(seed: seed)
        var random = SplitMix(seed: mixer.next() ^ (UInt64(truncatingIfNeeded: iteration) &* 0xD134_2543_DE82_EF95))
        let start = starts[Int(truncatingIfNeeded: random.next() % UInt64(starts.count))]
        var bytes = start.bytes
        // Mostly one or two changes, so that they are not all hidden behind an early error.
        var changes = 1
        while changes < 12, random.next() % 3 == 0 { changes += 1 }
        for _ in 0..<changes { change(&bytes, start, &random) }
        return bytes
    }

    private func change(_ bytes: inout [UInt8], _ start: Start, _ random: inout SplitMix) {
        guard !bytes.isEmpty else { return }
        func below(_ bound: Int) -> Int { bound < 1 ? 0 : Int(truncatingIfNeeded: random.next() % UInt64(bound)) }
        func position() -> Int {
            // Half of the changes fall on the header, which is where the decisions are.
            let header = start.map.tensors.last?.upperBound ?? start.map.pairs.last?.upperBound ?? bytes.count
            return random.next() % 2 == 0 ? below(min(header, bytes.count)) : below(bytes.count)
        }
        func slice(of other: [UInt8]) -> Range<Int> {
            let length = below(4) == 0 ? below(other.count + 1) : below(min(24, other.count) + 1)
            let from = below(other.count - length + 1)
            return from..<from + length
        }
        switch below(16) {
        case 0: bytes[position()] ^= 1 << UInt8(below(8))
        case 1: bytes[position()] = UInt8(truncatingIfNeeded: random.next())
        case 2...5:
            let fields = start.map.fields
            guard !fields.isEmpty else { return }
            let field = fields[below(fields.count)]
            let old = start.map.read(field, in: bytes)
            start.map.write(boundary(old, bytes.count, &random), to: field, in: &bytes)
        case 6:
            let fields = start.map.fields
            guard !fields.isEmpty else { return }
            let value = start.map.read(fields[below(fields.count)], in: bytes)
            start.map.write(value, to: fields[below(fields.count)], in: &bytes)
        case 7: bytes.removeSubrange(slice(of: bytes))
        case 8: insert(Array(bytes[slice(of: bytes)]), at: position(), into: &bytes)
        case 9:
            let other = starts[below(starts.count)].bytes
            insert(Array(other[slice(of: other)]), at: position(), into: &bytes)
        case 10:
            let other = starts[below(starts.count)].bytes
            let part = other[slice(of: other)]
            let at = below(bytes.count)
            bytes.replaceSubrange(at..<min(at + part.count, bytes.count), with: part)
            if bytes.count > Mutator.mostBytes { bytes.removeLast(bytes.count - Mutator.mostBytes) }
        case 11: bytes.removeLast(below(4) == 0 ? below(bytes.count + 1) : below(min(64, bytes.count) + 1))
        case 12:
            let filler: UInt8 = [0, 0xFF, 0x80, 0x41][below(4)]
            for index in slice(of: bytes) { bytes[index] = filler }
        case 13:
            let more = (0..<below(40)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            insert(more, at: position(), into: &bytes)
        case 14: repeatEntry(start.map.pairs, start.map.pairCount, start, &bytes, below)
        default: repeatEntry(start.map.tensors, start.map.tensorCount, start, &bytes, below)
        }
    }

    /// Repeats a whole pair or directory entry and counts it, so that the damage lies deeper than the count.
    private func repeatEntry(
        _ entries: [Range<Int>], _ countField: FieldMap.Field, _ start: Start, _ bytes: inout [UInt8],
        _ below: (Int) -> Int
    ) {
        guard !entries.isEmpty else { return }
        let entry = entries[below(entries.count)]
        guard entry.upperBound <= bytes.count else { return }
        var copy = Array(bytes[entry])
        // Another name more often than not.
        let name = start.map.width
        if below(4) > 0, copy.count > name { copy[name] = UInt8(below(26) + 97) }
        insert(copy, at: entries[below(entries.count)].lowerBound, into: &bytes)
        start.map.write(start.map.read(countField, in: bytes) &+ 1, to: countField, in: &bytes)
    }

    private func insert(_ part: [UInt8], at position: Int, into bytes: inout [UInt8]) {
        guard bytes.count + part.count <= Mutator.mostBytes, position <= bytes.count else { return }
        bytes.insert(contentsOf: part, at: position)
    }

    /// A value at which sums, products, signs or comparisons turn.
    private func boundary(_ old: UInt64, _ byteCount: Int, _ random: inout SplitMix) -> UInt64 {
        let pick = random.next()
        let power = UInt64(1) << (pick >> 32 & 63)
        switch pick % 12 {
        case 0: return 0
        case 1: return old &+ 1
        case 2: return old &- 1
        case 3: return old &* 2
        case 4: return .max &- (pick >> 16 & 63)
        case 5: return power
        case 6: return power &- 1
        case 7: return power &+ 1
        case 8: return UInt64(byteCount) &- (pick >> 16 & 127)
        case 9: return UInt64(byteCount) / (1 + (pick >> 16 & 63))
        case 10: return pick >> 16 & 63
        default: return (0 &- old) &* (1 + (pick >> 16 & 3))
        }
    }
}
