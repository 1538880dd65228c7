/// Recent words of one text and where their tokens stand in the output, so that a word that comes again is not merged again.
///
/// A fixed number of slots: a new word takes the place of an older one. The text must stay the same, and the output only grow,
/// for as long as the cache is used.
struct WordCache {
    private struct Word {
        var hash: UInt64 = 0
        var start: Int32 = 0
        var length: Int32 = 0
        var output: Int32 = 0
        var count: Int32 = 0
    }

    private var words: [Word] = []

    /// A cache for a text of so many bytes; short texts get none, because clearing it would take longer than it saves.
    init(textLength: Int) {
        if textLength < 512 { return }
        var size = 64
        while size < 4096 && size * 8 < textLength { size *= 2 }
        words = [Word](repeating: Word(), count: size)
    }

    private func slot(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash ^ hash >> 32) & (words.count - 1) }

    /// Appends the tokens of the word `text[range]` again where it is known; false where it is not.
    func repeatTokens(of text: [UInt8], _ range: Range<Int>, hash: UInt64, into output: inout [Int32]) -> Bool {
        if words.isEmpty { return false }
        let known = words[slot(hash)]
        guard known.hash == hash, Int(known.length) == range.count, known.count > 0 else { return false }
        for index in 0..<range.count where text[Int(known.start) + index] != text[range.lowerBound + index] {
            return false
        }
        for offset in 0..<Int(known.count) { output.append(output[Int(known.output) + offset]) }
        return true
    }

    /// Notes that the word at `range` of the text became the tokens at `tokens` of the output. Long words do not come again.
    mutating func remember(_ range: Range<Int>, hash: UInt64, tokens: Range<Int>) {
        guard !words.isEmpty, let start = Int32(exactly: range.lowerBound),
            let output = Int32(exactly: tokens.lowerBound),
            range.count < 256
        else { return }
        words[slot(hash)] = Word(
            hash: hash, start: start, length: Int32(range.count), output: output, count: Int32(tokens.count))
    }
}
