/// Numbers of which the smallest comes out first: a heap of four children a node.
private struct KeyHeap {
    private var keys: [UInt64] = []

    var first: UInt64? { keys.first }

    mutating func removeAll() { keys.removeAll(keepingCapacity: true) }

    mutating func push(_ key: UInt64) {
        var index = keys.count
        keys.append(key)
        while index > 0 {
            let parent = (index - 1) >> 2
            if keys[parent] <= key { break }
            keys[index] = keys[parent]
            index = parent
        }
        keys[index] = key
    }

    mutating func removeFirst() {
        guard let last = keys.popLast() else { return }
        let count = keys.count
        if count == 0 { return }
        var index = 0
        while true {
            let first = 4 * index + 1
            if first >= count { break }
            var child = first
            var other = first + 1
            while other < min(first + 4, count) {
                if keys[other] < keys[child] { child = other }
                other += 1
            }
            if keys[child] >= last { break }
            keys[index] = keys[child]
            index = child
        }
        keys[index] = last
    }
}

/// Possible merges: the lowest rank comes out first, among equals the leftmost.
///
/// Long texts of few different letters, a megabyte of spaces say, propose the same merge again and again from left to right.
/// There, each of the first few ranks has a lane, a plain queue; what does not fit a lane goes to the heap.
struct MergeQueue {
    private struct Lane {
        var rank: UInt32 = 0
        /// First and last of its entries, -1 where it has none.
        var head: Int32 = -1
        var tail: Int32 = -1
    }
    private struct Entry {
        var left: Int32
        var next: Int32
    }

    private static let laneCount = 256
    private var heap = KeyHeap()
    private var lanes: [Lane] = []
    private var entries: [Entry] = []
    /// Ranks of the lanes that have entries.
    private var ranks = KeyHeap()

    /// Empties the queue. Lanes pay for themselves where many merges are to come.
    mutating func removeAll(expecting count: Int) {
        heap.removeAll()
        ranks.removeAll()
        entries.removeAll(keepingCapacity: true)
        lanes = count < 4096 ? [] : [Lane](repeating: Lane(), count: Self.laneCount)
    }

    mutating func push(rank: UInt32, left: Int32) {
        guard !lanes.isEmpty else {
            heap.push(Self.key(rank, left))
            return
        }
        let number = Self.lane(rank)
        let lane = lanes[number]
        let new = Int32(truncatingIfNeeded: entries.count)
        if lane.head < 0 {
            lanes[number] = Lane(rank: rank, head: new, tail: new)
            ranks.push(UInt64(rank))
        } else if lane.rank == rank && entries[Int(lane.tail)].left <= left {
            entries[Int(lane.tail)].next = new
            lanes[number].tail = new
        } else {
            heap.push(Self.key(rank, left))
            return
        }
        entries.append(Entry(left: left, next: -1))
    }

    /// The best merge.
    mutating func pop() -> (rank: UInt32, left: Int32)? {
        let ofHeap = heap.first ?? .max
        if let first = ranks.first {
            let rank = UInt32(truncatingIfNeeded: first)
            let number = Self.lane(rank)
            let entry = entries[Int(lanes[number].head)]
            if Self.key(rank, entry.left) <= ofHeap {
                lanes[number].head = entry.next
                if entry.next < 0 { ranks.removeFirst() }
                return (rank, entry.left)
            }
        }
        if ofHeap == .max { return nil }
        heap.removeFirst()
        return (UInt32(truncatingIfNeeded: ofHeap >> 32), Int32(truncatingIfNeeded: ofHeap & 0xFFFF_FFFF))
    }

    @inline(__always)
    private static func key(_ rank: UInt32, _ left: Int32) -> UInt64 {
        UInt64(rank) << 32 | UInt64(UInt32(bitPattern: left))
    }

    @inline(__always)
    private static func lane(_ rank: UInt32) -> Int {
        Int((rank &* 0x9E37_79B9) >> 24)
    }
}
