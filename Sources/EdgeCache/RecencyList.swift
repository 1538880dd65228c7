/// Small numbers in the order in which they were added, linked through arrays: adding, removing and finding the oldest take the same
/// time for any length, and allocate nothing once there is room.
struct RecencyList {
    private var next: [Int32] = []
    private var previous: [Int32] = []
    /// The number added first of those there are, -1 for none.
    private(set) var first: Int32 = -1
    private var last: Int32 = -1
    private(set) var count = 0

    private static let absent: Int32 = -2

    /// Makes room for the numbers below a bound.
    mutating func grow(to bound: Int) {
        while next.count < bound {
            next.append(Self.absent)
            previous.append(Self.absent)
        }
    }

    mutating func reserve(_ bound: Int) {
        next.reserveCapacity(bound)
        previous.reserveCapacity(bound)
    }

    func contains(_ number: Int32) -> Bool { next[Int(number)] != Self.absent }

    /// Adds a number that is not in the list as its newest.
    mutating func append(_ number: Int32) {
        precondition(!contains(number), "listed twice")
        next[Int(number)] = -1
        previous[Int(number)] = last
        if last >= 0 { next[Int(last)] = number } else { first = number }
        last = number
        count += 1
    }

    /// Removes a number that is in the list.
    mutating func remove(_ number: Int32) {
        precondition(contains(number), "not listed")
        let (before, after) = (previous[Int(number)], next[Int(number)])
        if before >= 0 { next[Int(before)] = after } else { first = after }
        if after >= 0 { previous[Int(after)] = before } else { last = before }
        next[Int(number)] = Self.absent
        previous[Int(number)] = Self.absent
        count -= 1
    }

    /// All numbers, oldest first.
    var all: [Int32] {
        var result: [Int32] = []
        var number = first
        while number >= 0, result.count <= count {
            result.append(number)
            number = next[Int(number)]
        }
        return result
    }
}
