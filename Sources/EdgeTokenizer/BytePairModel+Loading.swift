/// Where the raw bytes of a token or a merge lie in a buffer, with hashes that `StringTable` understands.
private struct RawText {
    var start: Int
    /// Where the right half starts; `start` where there is none.
    var split: Int
    var end: Int
    var whole = StringTable.seed
    var left = StringTable.seed
    var right = StringTable.seed

    /// Writes the raw bytes of `text[range]` to the buffer from `start`; with `halves`, without the space between them.
    ///
    /// Nil where the text is not of the alphabet, or where there should be halves but are no two. The buffer must have room
    /// for `range.count` bytes.
    @inline(__always)
    init?(
        _ text: Span<UInt8>, _ range: Range<Int>, _ alphabet: ByteAlphabet?, halves: Bool,
        into buffer: inout MutableSpan<UInt8>, at start: Int
    ) {
        (self.start, split, end) = (start, start, start)
        var position = range.lowerBound
        while position < range.upperBound {
            var byte = text[position]
            // The space that parts the halves is not the first byte: without an alphabet a half may itself be a space.
            if halves && byte == 0x20 && split == start && end > start {
                split = end
                left = whole
                position += 1
                continue
            }
            if let alphabet {
                let (value, length) = alphabet.read(text, position, range.upperBound)
                if value < 0 { return nil }
                byte = UInt8(truncatingIfNeeded: value)
                position += length
            } else {
                position += 1
            }
            buffer[end] = byte
            end += 1
            whole = StringTable.step(whole, byte)
            if split > start { right = StringTable.step(right, byte) }
        }
        if halves && (split == start || split == end) { return nil }
    }
}

extension PackedStrings {
    fileprivate var longest: Int {
        var longest = 0
        for index in 0..<count { longest = max(longest, range(index).count) }
        return longest
    }
}

extension BytePairModel {
    /// Builds the tables. `isHidden` names the tokens that text must not become.
    ///
    /// Merges may name strings that are no token (their results then are cut up again); what is no pair of strings at all
    /// keeps its rank but merges nothing.
    init(tokens: PackedStrings, merges: PackedStrings?, pre: PreTokenizer, isHidden: [Bool]) {
        let alphabet = pre.isByteEncoded ? ByteAlphabet.standard : nil
        var symbols = StringTable(capacity: tokens.count, bytes: tokens.bytes.count)
        var buffer = [UInt8](repeating: 0, count: tokens.longest)
        let text = tokens.bytes.span
        for id in 0..<tokens.count {
            var room = buffer.mutableSpan
            let raw = RawText(text, tokens.range(id), alphabet, halves: false, into: &room, at: 0)
            let range = 0..<(raw?.end ?? 0)
            symbols.append(
                buffer, range, hash: raw?.whole ?? StringTable.seed, isHidden: range.isEmpty || isHidden[id])
        }
        var bytes: [Int32] = []
        var fallback: [Int32] = []
        for byte in UInt8.min...UInt8.max {
            let single = symbols.find([byte], 0..<1)
            bytes.append(single)
            let written = pre.isByteEncoded ? -1 : symbols.findByteToken(byte)
            fallback.append(written >= 0 ? written : single)
        }
        var table = MergeTable(capacity: merges?.count ?? 0)
        if let merges { Self.add(merges, alphabet, tokens.count, &symbols, &table) }
        // A byte that is no token of its own may still be half of a merge.
        for byte in UInt8.min...UInt8.max where bytes[Int(byte)] < 0 { bytes[Int(byte)] = symbols.find([byte], 0..<1) }
        self.init(
            symbols: symbols, tokenCount: tokens.count, pre: pre, bytes: bytes, fallback: fallback, merges: table)
    }

    /// Merges that are looked up together.
    ///
    /// Each lookup waits for memory several times. Doing the same step for many at once lets the processor wait for many at
    /// the same time.
    private static let batchCount = 512

    private static func add(
        _ merges: PackedStrings, _ alphabet: ByteAlphabet?, _ tokenCount: Int, _ symbols: inout StringTable,
        _ table: inout MergeTable
    ) {
        var buffer = [UInt8](repeating: 0, count: max(1 << 14, merges.longest))
        var batch: [RawText?] = []
        batch.reserveCapacity(batchCount)
        var guesses: [(left: Int32, right: Int32)] = []
        guesses.reserveCapacity(batchCount)
        var found: [(left: Int32, right: Int32, result: Int32)] = []
        found.reserveCapacity(batchCount)
        let text = merges.bytes.span
        var expected = 0
        var next = 0
        while next < merges.count {
            batch.removeAll(keepingCapacity: true)
            var used = 0
            while next < merges.count && batch.count < batchCount {
                let range = merges.range(next)
                if used + range.count > buffer.count { break }
                var room = buffer.mutableSpan
                let raw = RawText(text, range, alphabet, halves: true, into: &room, at: used)
                batch.append(raw)
                used = raw?.end ?? used
                next += 1
            }
            guesses.removeAll(keepingCapacity: true)
            for raw in batch {
                guesses.append(
                    raw.map { (symbols.candidate(hash: $0.left), symbols.candidate(hash: $0.right)) } ?? (-1, -1))
            }
            for (index, raw) in batch.enumerated() {
                guard let raw else { continue }
                let guess = guesses[index]
                guesses[index].left = symbols.looksLike(guess.left, buffer, raw.start..<raw.split)
                guesses[index].right = symbols.looksLike(guess.right, buffer, raw.split..<raw.end)
            }
            found.removeAll(keepingCapacity: true)
            for (raw, guess) in zip(batch, guesses) {
                guard let raw else {
                    found.append((-1, -1, -1))
                    continue
                }
                let left = symbols.findOrAppend(buffer, raw.start..<raw.split, hash: raw.left, guess: guess.left)
                let right = symbols.findOrAppend(buffer, raw.split..<raw.end, hash: raw.right, guess: guess.right)
                // Most lists give merges in the order of their results.
                var whole = symbols.first(of: expected...expected + 1, equal: buffer, raw.start..<raw.end)
                if whole < 0 { whole = symbols.findOrAppend(buffer, raw.start..<raw.end, hash: raw.whole) }
                if whole < tokenCount { expected = Int(whole) }
                found.append((left, right, whole))
            }
            table.append(contentsOf: found)
        }
    }
}
