/// A trie over bytes whose edges lie in one hash table.
struct ByteTrie: Sendable {
    /// Edge (node and byte) + 1; 0 is empty.
    private var keys: [UInt64]
    private var children: [Int32]
    private var used = 0
    /// Value of each node, -1 without. Node 0 is the root.
    private var values: [Int32] = [-1]

    init(capacity: Int = 16) {
        var size = 64
        while size < capacity { size *= 2 }
        keys = [UInt64](repeating: 0, count: size)
        children = [Int32](repeating: 0, count: size)
    }

    /// A trie of all strings that are neither hidden nor empty, each with its index; of equal strings the first counts.
    init(_ strings: PackedStrings, isHidden: [Bool]) {
        self.init(capacity: strings.bytes.count)
        for id in 0..<strings.count where !isHidden[id] && !strings.range(id).isEmpty {
            insert(strings[id], Int32(truncatingIfNeeded: id))
        }
    }

    @inline(__always)
    private func slot(_ key: UInt64) -> Int {
        let mask = keys.count - 1
        var slot = Int((key &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
        while keys[slot] != 0 && keys[slot] != key { slot = (slot + 1) & mask }
        return slot
    }

    @inline(__always)
    private static func key(_ node: Int32, _ byte: UInt8) -> UInt64 {
        (UInt64(UInt32(bitPattern: node)) << 8 | UInt64(byte)) + 1
    }

    /// The node that `byte` leads to, or -1.
    @inline(__always)
    func child(_ node: Int32, _ byte: UInt8) -> Int32 {
        let slot = slot(Self.key(node, byte))
        return keys[slot] == 0 ? -1 : children[slot]
    }

    @inline(__always)
    func value(_ node: Int32) -> Int32 { values[Int(node)] }

    mutating func insert(_ bytes: some Sequence<UInt8>, _ value: Int32) {
        var node: Int32 = 0
        for byte in bytes {
            let next = child(node, byte)
            if next >= 0 {
                node = next
                continue
            }
            if (used + 1) * 2 > keys.count { grow() }
            let key = Self.key(node, byte)
            let place = slot(key)
            node = Int32(truncatingIfNeeded: values.count)
            keys[place] = key
            children[place] = node
            values.append(-1)
            used += 1
        }
        if values[Int(node)] < 0 { values[Int(node)] = value }
    }

    private mutating func grow() {
        let (oldKeys, oldChildren) = (keys, children)
        keys = [UInt64](repeating: 0, count: oldKeys.count * 2)
        children = [Int32](repeating: 0, count: oldKeys.count * 2)
        for index in oldKeys.indices where oldKeys[index] != 0 {
            let place = slot(oldKeys[index])
            keys[place] = oldKeys[index]
            children[place] = oldChildren[index]
        }
    }

    /// Value and end of the longest string that stands at `position`, or nil.
    @inline(__always)
    func longestMatch(_ bytes: [UInt8], _ position: Int, _ end: Int) -> (value: Int32, end: Int)? {
        var node: Int32 = 0
        var next = position
        var best: (value: Int32, end: Int)?
        while next < end {
            node = child(node, bytes[next])
            if node < 0 { break }
            next += 1
            let value = values[Int(node)]
            if value >= 0 { best = (value, next) }
        }
        return best
    }

    /// Length of the longest stretch from `position` that some string starts with: it need not be a whole string.
    func longestPrefix(_ bytes: [UInt8], _ position: Int, _ end: Int) -> Int {
        var node: Int32 = 0
        var next = position
        while next < end {
            node = child(node, bytes[next])
            if node < 0 { break }
            next += 1
        }
        return next - position
    }
}
