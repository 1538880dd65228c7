import EdgeTestSupport

/// Texts that no one would write, for properties that must hold for all.
struct RandomText {
    private var generator: SplitMix

    init(seed: UInt64) { generator = SplitMix(seed: seed) }

    private static let pieces = [
        " ", "  ", "\n", "\r\n", "\t", "\u{0}", "'s", "'LL", "don't", "123", "4567890", "a", "Zebra", "hello", "éclair",
        "ß",
        "straße", "日本語", "中文", "한국어", "ไทย", "हिन्दी", "العربية", "עברית", "Ελλάδα", "Привет", "\u{301}", "e\u{301}",
        "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "\u{200D}", "\u{FEFF}", "\u{A0}", "\u{3000}", "…", "—", "!!!", "<|", "|>", "<s", "[",
        "{\"k\": 1}",
        "func f() { }", "\\n", "/", "<0x0A>", "##ing",
    ]

    /// Words in many scripts, and code points from anywhere but U+2581 (SentencePiece's space) and U+FFFD.
    mutating func next(pieces count: Int) -> String {
        var text = ""
        for _ in 0..<count {
            if Int.random(in: 0..<4, using: &generator) > 0 {
                text += Self.pieces.randomElement(using: &generator) ?? ""
                continue
            }
            let limit: UInt32 = [0x80, 0x800, 0x10000, 0x110000].randomElement(using: &generator) ?? 0x80
            let value = UInt32.random(in: 0..<limit, using: &generator)
            if value != 0x2581, value != 0xFFFD, let scalar = Unicode.Scalar(value) {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in
            // Lead and continuation bytes more often than chance has them.
            Bool.random(using: &generator)
                ? UInt8.random(in: 0x80...0xFF, using: &generator) : UInt8.random(in: 0...0xFF, using: &generator)
        }
    }

    mutating func ids(_ count: Int, below limit: Int) -> [Int32] {
        (0..<count).map { _ in Int32.random(in: -2..<Int32(limit) + 2, using: &generator) }
    }

    /// Cuts a text into up to `count` stretches between characters of any length.
    mutating func cut(_ text: String, _ count: Int) -> [String] {
        var rest = Array(text.unicodeScalars)[...]
        var parts: [String] = []
        while !rest.isEmpty && parts.count < count - 1 {
            let length = Int.random(in: 0...rest.count, using: &generator)
            parts.append(String(String.UnicodeScalarView(rest.prefix(length))))
            rest = rest.dropFirst(length)
        }
        return parts + [String(String.UnicodeScalarView(rest))]
    }
}
