internal import EdgeMath

/// A token that may still be chosen.
struct Candidate {
    var logit: Float
    var id: Int32
    /// A stage's own number: an unnormalised probability, or a score to sort by.
    var weight: Double
}

/// The tokens still in play: scratch of vocabulary size, allocated once, of which the first `count` are alive.
struct Candidates {
    /// The order of a sort: likeliest first, or lowest weight first; equal ones by rising id.
    enum Key { case logit, weight }

    private(set) var items: [Candidate]
    private(set) var count = 0
    /// Whether the alive ones lie in the order of `Key.logit`.
    private(set) var isSorted = false
    /// What logits are divided by, as of the stages run so far.
    var temperature = 1.0
    private var bucketMass = [Double](repeating: 0, count: 256)
    private var bucketCount = [Int](repeating: 0, count: 256)

    init(capacity: Int) { items = Array(repeating: Candidate(logit: 0, id: 0, weight: 0), count: capacity) }

    /// Takes every token whose logit is above minus infinity, by rising id.
    mutating func fill(from logits: [Float]) {
        temperature = 1
        var alive = 0
        for id in 0..<min(logits.count, items.count) where logits[id] > -.infinity {
            items[alive] = Candidate(logit: logits[id], id: Int32(truncatingIfNeeded: id), weight: 0)
            alive += 1
        }
        count = alive
        isSorted = alive < 2
    }

    /// Takes the `k` likeliest tokens, sorted, through a heap whose root is the worst one kept: no full sort.
    mutating func fillTop(_ k: Int, from logits: [Float]) {
        temperature = 1
        let limit = min(k, items.count)
        var alive = 0
        var bar = -Float.infinity
        for id in 0..<min(logits.count, items.count) where logits[id] > bar {
            let new = Candidate(logit: logits[id], id: Int32(truncatingIfNeeded: id), weight: 0)
            if alive < limit {
                items[alive] = new
                alive += 1
                if alive == limit {
                    heapify(limit, .logit)
                    bar = items[0].logit
                }
            } else {
                items[0] = new
                sink(0, limit, .logit)
                bar = items[0].logit
            }
        }
        count = alive
        isSorted = false
        sort(.logit)
    }

    /// Sorts the alive ones in place, without allocating.
    mutating func sort(_ key: Key = .logit) {
        if key == .logit, isSorted { return }
        sortHead(count, key)
        isSorted = key == .logit
    }

    /// Keeps the first `n`.
    mutating func keepFirst(_ n: Int) { count = min(count, max(n, 1)) }

    /// Drops the first `n`, if any would be left.
    mutating func dropFirst(_ n: Int) {
        guard n > 0, n < count else { return }
        for index in n..<count { items[index - n] = items[index] }
        count -= n
    }

    /// Keeps what reaches `bar`, in the order they lie in; at least the likeliest `minKeep`.
    mutating func keep(scaledAtLeast bar: Double, minKeep: Int) {
        guard let top = best else { return }
        var reaching = 0
        for index in 0..<count where scaled(items[index].logit, below: top) >= bar { reaching += 1 }
        if reaching < minKeep {
            sort()
            return keepFirst(minKeep)
        }
        var alive = 0
        for index in 0..<count where scaled(items[index].logit, below: top) >= bar {
            items[alive] = items[index]
            alive += 1
        }
        count = alive
    }

    /// The highest logit alive.
    var best: Float? {
        guard count > 0 else { return nil }
        if isSorted { return items[0].logit }
        var best = items[0].logit
        for index in 1..<count where items[index].logit > best { best = items[index].logit }
        return best
    }

    /// How far a logit lies below the top, divided by the temperature: 0 or less.
    @inline(__always)
    func scaled(_ logit: Float, below top: Float) -> Double { (Double(logit) - Double(top)) / temperature }

    /// Sets each weight to exp((logit - top) / temperature), and returns their sum, added in the order they lie in.
    mutating func weigh() -> Double {
        guard let top = best else { return 0 }
        var sum = 0.0
        for index in 0..<count {
            let weight = Deterministic.exponential(scaled(items[index].logit, below: top))
            items[index].weight = weight
            sum += weight
        }
        return sum
    }

    /// Sets the weight of one.
    mutating func setWeight(_ index: Int, _ weight: Double) { items[index].weight = weight }

    /// Keeps the likeliest that together reach the share `p`: sorted, and only as far as needed.
    mutating func keepShare(_ p: Double, minKeep: Int) {
        guard count > 1 else { return }
        let goal = p * weigh()
        var head = count
        if !isSorted {
            head = count > 256 ? moveHeadToFront(goal: goal, minKeep: minKeep) : count
            sortHead(head, .logit)
        }
        var sum = 0.0
        var index = 0
        while index < count {
            if index == head {
                // Rounding put the goal just beyond the buckets taken: sort everything, the same sum goes on.
                sortHead(count, .logit)
                head = count
            }
            sum += items[index].weight
            index += 1
            if sum >= goal, index >= minKeep { break }
        }
        count = index
        isSorted = true
    }

    /// Moves the candidates of the highest buckets of logits, together worth `goal`, to the front; returns how many.
    private mutating func moveHeadToFront(goal: Double, minKeep: Int) -> Int {
        guard let top = best else { return count }
        for bucket in 0..<256 {
            bucketMass[bucket] = 0
            bucketCount[bucket] = 0
        }
        for index in 0..<count {
            let bucket = bucket(items[index].logit, below: top)
            bucketMass[bucket] += items[index].weight
            bucketCount[bucket] += 1
        }
        var (mass, number, last) = (0.0, 0, 255)
        for bucket in 0..<256 {
            mass += bucketMass[bucket]
            number += bucketCount[bucket]
            if mass >= goal, number >= minKeep {
                last = bucket
                break
            }
        }
        var front = 0
        for index in 0..<count where bucket(items[index].logit, below: top) <= last {
            items.swapAt(front, index)
            front += 1
        }
        return front
    }

    /// Buckets of 1/16 nat, so that the last begins at e^-16 of the top.
    @inline(__always)
    private func bucket(_ logit: Float, below top: Float) -> Int { Int(min(-16 * scaled(logit, below: top), 255)) }

    private mutating func sortHead(_ n: Int, _ key: Key) {
        guard n > 1 else { return }
        heapify(n, key)
        for last in stride(from: n - 1, to: 0, by: -1) {
            items.swapAt(0, last)
            sink(0, last, key)
        }
    }

    private mutating func heapify(_ n: Int, _ key: Key) {
        for root in stride(from: n / 2 - 1, through: 0, by: -1) { sink(root, n, key) }
    }

    /// Restores the heap below `root`: no parent comes before its children.
    private mutating func sink(_ start: Int, _ n: Int, _ key: Key) {
        var root = start
        let moved = items[root]
        while true {
            var child = 2 * root + 1
            guard child < n else { break }
            if child + 1 < n, Self.precedes(items[child], items[child + 1], key) { child += 1 }
            guard Self.precedes(moved, items[child], key) else { break }
            items[root] = items[child]
            root = child
        }
        items[root] = moved
    }

    @inline(__always)
    private static func precedes(_ a: Candidate, _ b: Candidate, _ key: Key) -> Bool {
        if key == .weight, a.weight != b.weight { return a.weight < b.weight }
        return a.logit != b.logit ? a.logit > b.logit : a.id < b.id
    }
}
