/// How a byte-pair family cuts text into words: steps, each cutting the pieces of the one before.
struct PreTokenizer: Sendable {
    enum Step: Sendable {
        case gpt2, kimi, digitGroups, lines, trailingSpaces, beforeThousands
        case llama3(digits: Int, marks: Bool)
        case pattern(SplitPattern)
    }

    var steps: [Step]
    /// A word that is a token is taken whole, without merges.
    var ignoresMerges = false
    var addsBos = false
    var addsSep = false
    /// Words are raw UTF-8 with U+2581 for spaces, instead of GPT-2's byte alphabet.
    var isByteEncoded = true
    var escapesSpaces = false
    var hasDefaultBos = true
    /// Gemma 4: a run of line feeds that is a token is taken whole, and BOS is always added.
    var isGemma4 = false
    /// White space only parts words and is in no token.
    var dropsSpaces = false
    /// Text goes to lower case first; only together with `dropsSpaces`.
    var lowercases = false

    /// Cuts the text; `ends` are the ends of the words in code points.
    func split(_ text: ScalarText, _ ends: inout [Int], _ scratch: inout [Int]) {
        ends.removeAll(keepingCapacity: true)
        guard text.count > 0 else { return }
        for (index, step) in steps.enumerated() {
            if index == 0 {
                Self.apply(step, text, 0, text.count, &ends)
                continue
            }
            swap(&ends, &scratch)
            ends.removeAll(keepingCapacity: true)
            var start = 0
            for end in scratch {
                Self.apply(step, text, start, end, &ends)
                start = end
            }
        }
    }

    private static func apply(_ step: Step, _ text: ScalarText, _ start: Int, _ end: Int, _ ends: inout [Int]) {
        switch step {
        case .gpt2: Splitters.gpt2(text, start, end, &ends)
        case .kimi: Splitters.kimi(text, start, end, &ends)
        case .digitGroups: Splitters.digitGroups(text, start, end, &ends)
        case .lines: Splitters.lines(text, start, end, &ends)
        case .trailingSpaces: Splitters.trailingSpaces(text, start, end, &ends)
        case .beforeThousands: Splitters.beforeThousands(text, start, end, &ends)
        case .llama3(let digits, let marks):
            Splitters.llama3(text, start, end, &ends, digits: digits, marks: marks)
        case .pattern(let pattern): pattern.split(text, start, end, &ends)
        }
    }
}

/// Pieces from which the table of pre-tokenizers is put together.
extension PreTokenizer.Step {
    static func pattern(_ alternatives: [SplitItem]...) -> PreTokenizer.Step {
        .pattern(SplitPattern(alternatives: alternatives))
    }
    static func one(_ set: CharacterSet) -> PreTokenizer.Step { .pattern([.set(set, 1...1)]) }
    static func run(_ set: CharacterSet, max: Int = .max) -> PreTokenizer.Step { .pattern([.set(set, 1...max)]) }
}

extension SplitItem {
    static func some(_ set: CharacterSet) -> SplitItem { .set(set, 1...Int.max) }
    static func any(_ set: CharacterSet) -> SplitItem { .set(set, 0...Int.max) }
    static func maybe(_ set: CharacterSet) -> SplitItem { .set(set, 0...1) }
    static func one(_ set: CharacterSet) -> SplitItem { .set(set, 1...1) }
}

extension CharacterSet {
    static let letters = CharacterSet(.letter)
    static let numbers = CharacterSet(.number)
    static let spaces = CharacterSet(.space)
    static let blank = CharacterSet([], " ")
    static let breaks = CharacterSet([], "\r\u{0A}")
    /// `[^\r\n\p{L}\p{N}]`
    static let leader = CharacterSet.not([.letter, .number], "\r\u{0A}")
    /// `[^\s\p{L}\p{N}]`
    static let other = CharacterSet.not([.space, .letter, .number])
    /// `[A-Za-z]`
    static let ascii = CharacterSet(ranges: [0x41...0x5A, 0x61...0x7A])
    /// ASCII punctuation and symbols.
    static let asciiMarks = CharacterSet(ranges: [0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E])
    static let kana = CharacterSet(ranges: [0x4E00...0x9FA5, 0x3040...0x309F, 0x30A0...0x30FF])
}
