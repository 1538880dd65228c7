/// From a pair of symbols to the rank of their merge and its result: one hash table, sized once.
///
/// A slot is 8 bytes, so that most questions, which are about pairs that do not merge, touch little memory.
struct MergeTable: Sendable {
    private struct Merge {
        var pair: UInt64
        var result: Int32
    }

    /// Merges in order of rank; a rank without one has the pair `.max`.
    private var merges: [Merge] = []
    /// Hash (upper 32 bits) and rank + 1 (lower 32); 0 is empty. The count is a power of two.
    private var slots: [UInt64]
    private var starts: [Int] = []

    /// A table for `capacity` ranks.
    init(capacity: Int) {
        merges.reserveCapacity(capacity)
        var size = 16
        while size < capacity + capacity / 2 { size *= 2 }
        slots = [UInt64](repeating: 0, count: size)
    }

    @inline(__always)
    private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    @inline(__always)
    private static func mark(_ pair: UInt64) -> UInt64 {
        ((pair ^ pair >> 29) &* 0x9E37_79B9_7F4A_7C15) >> 32
    }

    /// Gives the next ranks to merges. Of equal pairs the first, and so the better, counts; negative symbols never merge.
    ///
    /// Many at once: the first loop only reads, so that the processor waits for the memory of many merges at the same time.
    mutating func append(contentsOf list: [(left: Int32, right: Int32, result: Int32)]) {
        let mask = slots.count - 1
        starts.removeAll(keepingCapacity: true)
        for merge in list {
            let mark = Self.mark(Self.pair(merge.left, merge.right))
            let slot = Int(truncatingIfNeeded: mark) & mask
            // A slot that another pair has stays taken: look from the next one on.
            let isOther = slots[slot] != 0 && slots[slot] >> 32 != mark
            starts.append(isOther ? (slot + 1) & mask : slot)
        }
        for (merge, start) in zip(list, starts) {
            guard merge.left >= 0, merge.right >= 0 else {
                merges.append(Merge(pair: .max, result: -1))
                continue
            }
            let pair = Self.pair(merge.left, merge.right)
            merges.append(Merge(pair: pair, result: merge.result))
            place(pair, from: start)
        }
    }

    private mutating func place(_ pair: UInt64, from start: Int) {
        let mark = Self.mark(pair)
        let mask = slots.count - 1
        var slot = start
        while slots[slot] != 0 {
            if slots[slot] >> 32 == mark && merges[Self.rank(slots[slot])].pair == pair { return }
            slot = (slot + 1) & mask
        }
        slots[slot] = mark << 32 | UInt64(merges.count)
    }

    @inline(__always)
    private static func rank(_ slot: UInt64) -> Int { Int(truncatingIfNeeded: slot & 0xFFFF_FFFF) - 1 }

    /// Rank (upper half) and result (lower half) of a merge, or `.max`.
    @inline(__always)
    func find(_ left: Int32, _ right: Int32) -> UInt64 {
        if left < 0 || right < 0 { return .max }
        let pair = Self.pair(left, right)
        let mark = Self.mark(pair)
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: mark) & mask
        while true {
            let entry = slots[slot]
            if entry == 0 { return .max }
            if entry >> 32 == mark {
                let rank = Self.rank(entry)
                let merge = merges[rank]
                if merge.pair == pair { return UInt64(rank) << 32 | UInt64(UInt32(bitPattern: merge.result)) }
            }
            slot = (slot + 1) & mask
        }
    }
}
