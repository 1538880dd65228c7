/// A symbol of a word that is being merged: a stretch of bytes in a doubly linked list.
struct MergeSymbol {
    /// Where its bytes start in the word.
    var start: Int32
    /// Bytes; 0 once merged into its left neighbour.
    var length: Int32
    /// Neighbours, or -1.
    var previous: Int32
    var next: Int32
    var id: Int32
    /// Rank and result of its merge with the right neighbour; `.max` where they do not merge.
    var rank: UInt32 = .max
    var merged: Int32 = -1
}

/// The symbols of one word, with the memory that merging needs; reused from word to word.
struct MergeList {
    private(set) var symbols: [MergeSymbol] = []
    private var queue = MergeQueue()

    mutating func removeAll() { symbols.removeAll(keepingCapacity: true) }

    /// Adds the symbol of the next `length` bytes of the word.
    @inline(__always)
    mutating func append(length: Int, id: Int32) {
        let index = Int32(truncatingIfNeeded: symbols.count)
        var start: Int32 = 0
        if let last = symbols.last {
            start = last.start + last.length
            symbols[symbols.count - 1].next = index
        }
        symbols.append(
            MergeSymbol(start: start, length: Int32(truncatingIfNeeded: length), previous: index - 1, next: -1, id: id))
    }

    /// Merges neighbours, best rank first and leftmost among equals, until none merge.
    ///
    /// - Complexity: O(n log n); a short list is searched instead of queued.
    @inline(__always)
    mutating func merge(_ find: (_ left: MergeSymbol, _ right: MergeSymbol) -> (rank: UInt32, result: Int32)?) {
        if symbols.count > 24 { mergeLong(find) } else { mergeShort(find) }
    }

    @inline(__always)
    private mutating func propose(
        _ left: Int, _ right: Int, _ find: (_ left: MergeSymbol, _ right: MergeSymbol) -> (rank: UInt32, result: Int32)?
    ) -> Bool {
        guard let found = find(symbols[left], symbols[right]) else {
            symbols[left].rank = .max
            return false
        }
        symbols[left].rank = found.rank
        symbols[left].merged = found.result
        return true
    }

    /// Joins the symbol at `left` with its right neighbour.
    @inline(__always)
    private mutating func join(_ left: Int) {
        let right = Int(symbols[left].next)
        symbols[left].id = symbols[left].merged
        symbols[left].length += symbols[right].length
        symbols[left].rank = .max
        symbols[left].next = symbols[right].next
        symbols[right].length = 0
        symbols[right].rank = .max
        if symbols[right].next >= 0 { symbols[Int(symbols[right].next)].previous = Int32(truncatingIfNeeded: left) }
    }

    @inline(__always)
    private mutating func mergeShort(
        _ find: (_ left: MergeSymbol, _ right: MergeSymbol) -> (rank: UInt32, result: Int32)?
    ) {
        for right in 1..<max(1, symbols.count) { _ = propose(right - 1, right, find) }
        while true {
            var best = UInt32.max
            var place = 0
            for index in symbols.indices where symbols[index].rank < best {
                best = symbols[index].rank
                place = index
            }
            if best == .max { return }
            join(place)
            if symbols[place].next >= 0 { _ = propose(place, Int(symbols[place].next), find) }
            if symbols[place].previous >= 0 { _ = propose(Int(symbols[place].previous), place, find) }
        }
    }

    @inline(__always)
    private mutating func mergeLong(
        _ find: (_ left: MergeSymbol, _ right: MergeSymbol) -> (rank: UInt32, result: Int32)?
    ) {
        queue.removeAll(expecting: symbols.count)
        for right in 1..<symbols.count where propose(right - 1, right, find) {
            queue.push(rank: symbols[right - 1].rank, left: Int32(truncatingIfNeeded: right - 1))
        }
        while let best = queue.pop() {
            let place = Int(best.left)
            // What was proposed for neighbours that have changed since.
            if symbols[place].rank != best.rank { continue }
            join(place)
            let next = Int(symbols[place].next)
            if next >= 0 && propose(place, next, find) { queue.push(rank: symbols[place].rank, left: best.left) }
            let previous = Int(symbols[place].previous)
            if previous >= 0 && propose(previous, place, find) {
                queue.push(rank: symbols[previous].rank, left: Int32(truncatingIfNeeded: previous))
            }
        }
    }
}
