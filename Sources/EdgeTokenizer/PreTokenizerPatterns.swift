/// The patterns of single models, transcribed item by item.
extension PreTokenizer {
    static let digitTriples = Step.pattern([.set(CharacterSet(ranges: [0x30...0x39]), 3...3)])
    /// `[\p{P}\p{S}]`
    static let symbols = CharacterSet([.punctuation, .symbol])
    static let deepseekHan = CharacterSet(ranges: [0x4E00...0x9FA5, 0x0800...0x4E00, 0xAC00...0xD7FF])

    /// The tail that most patterns share: `\s*[\r\n]+|\s+(?!\S)|\s+`.
    private static let tail: [[SplitItem]] = [
        [.blankLines], [.some(.spaces), .beforeSpaceOrEnd], [.some(.spaces)],
    ]

    /// Contractions, letters with a leader, digits, symbols after a space, then `tail`.
    static func words(contractions: Bool = true, digits: Int, symbols: [SplitItem]) -> Step {
        var alternatives: [[SplitItem]] = contractions ? [[.contraction]] : []
        alternatives.append([.maybe(.leader), .some(.letters)])
        alternatives.append([.set(.numbers, 1...digits)])
        alternatives.append([.maybe(.blank)] + symbols)
        return .pattern(SplitPattern(alternatives: alternatives + tail))
    }

    /// `\s{512}(?!\S)|\s{256}(?!\S)|…|\s{1}` instead of the last two of `tail`.
    static let jais2: Step = {
        var alternatives: [[SplitItem]] = [
            [.contraction], [.maybe(.leader), .some(.letters)], [.set(.numbers, 1...3)],
            [.maybe(.blank), .some(.other), .any(.breaks)], [.blankLines],
        ]
        for count in [512, 256, 128, 64, 32, 16, 8, 4] {
            alternatives.append([.set(.spaces, count...count), .beforeSpaceOrEnd])
        }
        alternatives.append([.set(.spaces, 1...2), .beforeSpaceOrEnd])
        alternatives.append([.one(.spaces)])
        return .pattern(SplitPattern(alternatives: alternatives))
    }()

    /// DeepSeek V3: `[marks][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?symbols` and `tail`.
    static func deepseekWords(_ symbols: [SplitItem]) -> Step {
        .pattern(SplitPattern(alternatives: deepseekHead + [[.maybe(.blank)] + symbols] + tail))
    }
    private static let deepseekHead: [[SplitItem]] = [
        [.one(.asciiMarks), .some(.ascii)],
        [
            .maybe(.not([.letter, .punctuation, .symbol], "\r\u{0A}")),
            .some(CharacterSet([.letter, .mark])),
        ],
    ]
    static let sparkWords = Step.pattern(
        SplitPattern(
            alternatives: deepseekHead + [
                [.maybe(.blank), .some(symbols)], [.one(.breaks)], [.some(.spaces), .beforeSpaceOrEnd],
                [.some(.spaces)],
            ]))

    /// Patterns that meant upper and lower case but that llama.cpp reads as any letter.
    static func cased(letters: CharacterClass, digits: Int, slash: Bool) -> Step {
        let letter = CharacterSet(letters)
        return .pattern(
            SplitPattern(
                alternatives: [
                    [.maybe(.leader), .some(letter), .optionalContraction],
                    [.set(.numbers, 1...digits)],
                    [.maybe(.blank), .some(.other), .any(CharacterSet([], "\r\u{0A}/"))],
                ] + tail))
    }

    /// Upper case then lower case, where only ASCII letters have a case.
    static func asciiCased(_ letters: CharacterClass, digits: Int, contractions: Bool) -> Step {
        let upper = CharacterSet(letters, except: [0x61...0x7A])
        let lower = CharacterSet(letters, except: [0x41...0x5A])
        let end: [SplitItem] = contractions ? [.optionalContraction] : []
        return .pattern(
            SplitPattern(
                alternatives: [
                    [.maybe(.leader), .any(upper), .some(lower)] + end,
                    [.maybe(.leader), .some(upper), .any(lower)] + end,
                    [.set(.numbers, 1...digits)],
                    [.maybe(.blank), .some(.other), .any(CharacterSet([], "\r\u{0A}/"))],
                ] + tail))
    }

    /// ` ?[^(\s|.,!?…。，、।۔،)]+`
    static let bloomWords = Step.pattern([
        .maybe(.blank), .some(.not(.space, "(|.,!?\u{2026}\u{3002}\u{FF0C}\u{3001}\u{0964}\u{06D4}\u{060C})")),
    ])

    static let exaoneMoE = Step.pattern(
        [.contraction], [.maybe(.leader), .spacedWords], [.one(.numbers)],
        [.maybe(.blank), .some(.other), .maybe(CharacterSet([], "\r\u{0A}/"))], [.blankLines],
        [.some(.spaces), .beforeSpaceOrEnd], [.some(.spaces)])

    private static func literal(_ text: String) -> [SplitItem] {
        text.unicodeScalars.map { .one(CharacterSet(ranges: [$0.value...$0.value])) }
    }
    static let chameleon: [Step] = [
        .pattern(literal("<sentinel:") + [.some(CharacterSet(ranges: [0x30...0x39]))] + literal(">")),
        .pattern(literal("IMGIMG") + [.set(CharacterSet(ranges: [0x41...0x49]), 1...4)] + literal("Z")),
        .pattern([.one(CharacterSet([], "\t\u{0A}"))], literal("    "), literal("  ")),
        .one(.numbers),
        .one(CharacterSet(.punctuation, ranges: [0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E])),
        .gpt2,
    ]

    static let youtuScripts = Step.pattern(
        [.some(CharacterSet(ranges: [0xAC00...0xD7A3, 0x3131...0x318E]))],
        [
            .some(
                CharacterSet(
                    [], "\u{FF01}\u{2026}\u{201C}\u{201D}\u{2018}\u{2019}\u{2014}\u{FF1A}\u{FF1B}\u{FF0C}",
                    ranges: [0x3001...0x303F, 0xFE30...0xFE4F]))
        ],
        [.some(CharacterSet(ranges: [0x3105...0x312F]))],
        [.some(.kana)])

    static let afmoeScripts = CharacterSet(ranges: [
        0x4E00...0x9FFF, 0x3400...0x4DBF, 0x8C48...0xFAFF, 0x3040...0x309F, 0x30A0...0x30FF, 0xFF65...0xFF9F,
        0x2F00...0x2FDF, 0x0E40...0x0E7F, 0x0E80...0x0EFF, 0x1780...0x17FF, 0x1000...0x109F, 0xAA60...0xAA7F,
        0xA9E0...0xA9FF, 0xAC00...0xD7AF, 0x1100...0x11FF,
    ])
}
