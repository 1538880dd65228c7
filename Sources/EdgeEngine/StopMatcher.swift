/// Finds stop sequences in a stream of text, holding back only what may turn out to begin one.
struct StopMatcher {
    private let sequences: [[UInt8]]
    /// UTF-8 that has not been let through yet: it begins at least one of the sequences.
    private var held: [UInt8] = []

    /// Empty sequences are left out: they would stop everything at once.
    init(_ sequences: [String]) {
        self.sequences = sequences.filter { !$0.isEmpty }.map { Array($0.utf8) }
    }

    /// Adds text; returns what can be shown, and whether a sequence was found right after it.
    mutating func append(_ text: String) -> (text: String, isStopped: Bool) {
        guard !sequences.isEmpty else { return (text, false) }
        held += Array(text.utf8)
        var start = 0
        while start < held.count {
            var mayBegin = false
            for sequence in sequences {
                let available = min(sequence.count, held.count - start)
                guard held[start..<start + available].elementsEqual(sequence[..<available]) else { continue }
                if available == sequence.count {
                    let shown = String(decoding: held[..<start], as: UTF8.self)
                    held = []
                    return (shown, true)
                }
                mayBegin = true
            }
            if mayBegin { break }
            start += 1
        }
        // Sequences are whole strings, so a match can only begin at a character's first byte: the cut splits none.
        let shown = String(decoding: held[..<start], as: UTF8.self)
        held.removeFirst(start)
        return (shown, false)
    }

    /// What was held back when the stream ended.
    mutating func finish() -> String {
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }
}
