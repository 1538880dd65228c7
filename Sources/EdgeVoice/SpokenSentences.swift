internal import EdgeDocuments

/// Cuts a text that arrives piece by piece into the sentences to speak.
///
/// A sentence is given when what follows shows that it has ended: "2.3 bar", "e.g." and "No. 5" end none. Citations such as `[2]` and the
/// marks of Markdown are not spoken. A sentence of more than `longest` bytes is given in parts, so what is held is bounded.
struct SpokenSentences: Sendable {
    /// Bytes of a sentence at most.
    static let longest = 600
    /// A bracket that is open for longer than this is no citation.
    private static let longestCitation = 24

    private var text: [UInt8] = []
    /// A citation that may be coming, with the blanks before it.
    private var held: [UInt8] = []

    /// Takes a piece and gives the sentences that are complete now.
    mutating func append(_ piece: String) -> [String] {
        var sentences: [String] = []
        // Little by little, so that a long piece takes time in proportion to its length.
        for (index, scalar) in piece.unicodeScalars.enumerated() {
            for byte in UTF8.encode(scalar) ?? .init() { take(byte) }
            if index & 127 == 127 { sentences += complete() }
        }
        return sentences + complete()
    }

    /// The rest, as the text has ended.
    mutating func finish() -> [String] {
        release()
        var sentences = complete()
        if let rest = Self.spoken(text[...]) { sentences.append(rest) }
        text.removeAll()
        return sentences
    }

    /// Blanks wait for what follows them: before a citation they go with it.
    private mutating func take(_ byte: UInt8) {
        let isOpen = held.contains(UInt8(ascii: "["))
        switch byte {
        case UInt8(ascii: "[") where !isOpen:
            held.append(byte)
        case UInt8(ascii: "]") where isOpen && held.last != UInt8(ascii: "["):
            held.removeAll(keepingCapacity: true)
        case UInt8(ascii: "0")...UInt8(ascii: "9") where isOpen && held.count < Self.longestCitation,
            UInt8(ascii: ",") where isOpen && held.count < Self.longestCitation,
            UInt8(ascii: " ") where isOpen && held.count < Self.longestCitation:
            held.append(byte)
        case UInt8(ascii: " ") where !isOpen && held.count < Self.longestCitation:
            held.append(byte)
        default:
            release()
            text.append(byte)
        }
    }

    private mutating func release() {
        text += held
        held.removeAll(keepingCapacity: true)
    }

    private mutating func complete() -> [String] {
        var sentences: [String] = []
        while true {
            let ranges = Sentences.ranges(of: text, in: 0..<text.count)
            // The last may go on; of the one before it the end is certain.
            if ranges.count > 1, let last = ranges.last {
                for range in ranges.dropLast() { sentences += Self.parts(Array(text[range])) }
                text.removeFirst(last.lowerBound)
            }
            guard text.count > Self.longest else { return sentences }
            let end = Self.cut(text)
            sentences += Self.parts(Array(text[..<end]))
            text.removeFirst(end)
        }
    }

    private static func parts(_ sentence: [UInt8]) -> [String] {
        var parts: [String] = []
        var rest = sentence
        while rest.count > longest {
            let end = cut(rest)
            if let part = spoken(rest[..<end]) { parts.append(part) }
            rest.removeFirst(end)
        }
        if let part = spoken(rest[...]) { parts.append(part) }
        return parts
    }

    /// Where a sentence that is too long is cut: after a comma or the like, else at a blank, else between characters.
    private static func cut(_ text: [UInt8]) -> Int {
        let range = (longest / 2)..<longest
        let isBlank = { (index: Int) in text[index] == 0x20 || text[index] == 0x0A }
        let clause: [UInt8] = [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: ":")]
        if let comma = range.last(where: { isBlank($0) && clause.contains(text[$0 - 1]) }) { return comma }
        if let blank = range.last(where: isBlank) { return blank }
        return range.last { text[$0] & 0xC0 != 0x80 } ?? longest
    }

    /// A sentence as a program for speech takes it: one line, without marks that it would read out; nil where nothing is left to say.
    private static func spoken(_ bytes: ArraySlice<UInt8>) -> String? {
        var words: [String] = []
        for word in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace) {
            var scalars = String.UnicodeScalarView()
            for scalar in word.unicodeScalars
            where !["*", "`", "#", "|", "~"].contains(scalar) && scalar.properties.generalCategory != .control {
                scalars.append(scalar)
            }
            if !scalars.isEmpty { words.append(String(scalars)) }
        }
        let line = words.joined(separator: " ")
        return line.contains { $0.isLetter || $0.isNumber } ? line : nil
    }
}
