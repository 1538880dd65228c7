/// One possible merge: of the symbols at `left` and its neighbour `right`, best rank first, leftmost among equals.
struct MergeCandidate {
    /// Lower is better.
    var rank: UInt64
    var left: Int32
    var right: Int32
    /// Byte length of both together, which tells whether either has changed since.
    var length: Int32
    /// What the merge gives.
    var symbol: Int32

    @inline(__always)
    func precedes(_ other: MergeCandidate) -> Bool {
        rank < other.rank || (rank == other.rank && left < other.left)
    }
}

/// A binary heap of candidates.
struct MergeQueue {
    private var heap: [MergeCandidate] = []

    mutating func removeAll() { heap.removeAll(keepingCapacity: true) }

    mutating func push(_ candidate: MergeCandidate) {
        var index = heap.count
        heap.append(candidate)
        while index > 0 {
            let parent = (index - 1) / 2
            if !candidate.precedes(heap[parent]) { break }
            heap[index] = heap[parent]
            index = parent
        }
        heap[index] = candidate
    }

    mutating func pop() -> MergeCandidate? {
        guard let best = heap.first, let last = heap.popLast() else { return nil }
        let count = heap.count
        if count == 0 { return best }
        var index = 0
        while true {
            var child = 2 * index + 1
            if child >= count { break }
            if child + 1 < count && heap[child + 1].precedes(heap[child]) { child += 1 }
            if !heap[child].precedes(last) { break }
            heap[index] = heap[child]
            index = child
        }
        heap[index] = last
        return best
    }
}

/// A symbol of a word that is being merged: a stretch of bytes in a doubly linked list.
struct MergeSymbol {
    var start: Int32
    /// Bytes; 0 once merged into its left neighbour.
    var length: Int32
    var previous: Int32
    var next: Int32
    var id: Int32
}
