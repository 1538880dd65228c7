/// Where sentences end, in any script.
///
/// Rules instead of tables of a language: a full stop ends a sentence unless it follows an abbreviation, a single letter or a short
/// number, or a small letter comes after it; the marks of Chinese and Japanese end one wherever they stand; Arabic and Indian marks
/// count. A line break ends one where the line was not full, as the next word would still have fitted on it, or where that is so of most
/// lines: those of a list.
package enum Sentences {
    /// The sentences of a range, without the white space around them. Together they cover all of it that is not white space.
    package static func ranges(of text: [UInt8], in range: Range<Int>) -> [Range<Int>] {
        let scalars = Scalars(text, range)
        let breaks = LineBreaks(text, range)
        var sentences: [Range<Int>] = []
        var start = 0
        func close(_ end: Int) {
            guard end > start else { return }
            let trimmed = text.trimmed(scalars.offset(start)..<scalars.offset(end))
            if !trimmed.isEmpty { sentences.append(trimmed) }
            start = end
        }
        var i = 0
        while i < scalars.count {
            let scalar = scalars[i]
            if scalar == 0x0A || scalar == 0x0D {
                if breaks.ends(scalars.offset(i)) { close(i) }
                i += 1
                continue
            }
            guard let mark = Mark(scalar) else {
                i += 1
                continue
            }
            var end = i + 1
            while end < scalars.count, Mark(scalars[end]) != nil || isCloser(scalars[end]) { end += 1 }
            if ends(mark, scalars, at: i, end) { close(end) }
            i = end
        }
        close(scalars.count)
        return sentences
    }

    /// Whether a text is a list of lines, such as trouble codes with their meanings: eight lines or more, whose breaks were meant.
    package static func isList(_ text: [UInt8], in range: Range<Int>) -> Bool {
        let breaks = LineBreaks(text, range)
        return breaks.areAllMeant && breaks.lineCount >= 8
    }

    private enum Mark {
        case stop, strong, fullWidth

        init?(_ scalar: UInt32) {
            switch scalar {
            case 0x2E: self = .stop
            // ! ? … and those of Arabic, Urdu, Devanagari, Armenian, Ethiopian, Khmer, Myanmar.
            case 0x21, 0x3F, 0x2026, 0x061F, 0x06D4, 0x0964, 0x0965, 0x0589, 0x1362, 0x17D4, 0x104B, 0x203C,
                0x2047...0x2049:
                self = .strong
            case 0x3002, 0xFF01, 0xFF1F, 0xFF0E, 0xFF61: self = .fullWidth
            default: return nil
            }
        }
    }

    /// Quotes and brackets that belong to the sentence that they close.
    private static func isCloser(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x22, 0x27, 0x29, 0x5D, 0x7D, 0x2019, 0x201D, 0xBB, 0x300D, 0x300F, 0x3011, 0xFF09, 0x300B: true
        default: false
        }
    }

    /// Whether a mark, and what directly follows it up to `end`, ends a sentence.
    private static func ends(_ mark: Mark, _ scalars: Scalars, at index: Int, _ end: Int) -> Bool {
        if mark == .fullWidth { return true }
        guard end < scalars.count else { return true }
        guard isBlank(scalars[end]) else { return false }
        guard mark == .stop else { return true }
        var next = end
        while next < scalars.count, isBlank(scalars[next]) { next += 1 }
        if next < scalars.count, let following = Unicode.Scalar(scalars[next]), following.properties.isLowercase {
            return false
        }
        // The word before the stop.
        var first = index
        while first > 0, index - first < 12, !isBlank(scalars[first - 1]), !isOpener(scalars[first - 1]) { first -= 1 }
        let word = scalars.string(first..<index)
        if word.isEmpty { return true }
        if word.count <= 2, word.allSatisfy(\.isNumber) { return false }
        if word.count == 1, word.first?.isLetter == true { return false }
        return !abbreviations.contains(word.lowercased())
    }

    private static func isBlank(_ scalar: UInt32) -> Bool {
        scalar == 0x20 || (0x09...0x0D).contains(scalar) || scalar == 0xA0 || scalar == 0x3000
            || (0x2000...0x200B).contains(scalar)
    }

    private static func isOpener(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x22, 0x27, 0x28, 0x5B, 0x2018, 0x201C, 0x201E, 0xAB: true
        default: false
        }
    }

    /// What has a full stop without ending a sentence: English, German, French, Spanish, Italian.
    private static let abbreviations: Set<String> = [
        "e.g", "i.e", "etc", "cf", "vs", "mr", "mrs", "ms", "dr", "prof", "st", "no", "nos", "fig", "figs", "sec", "ch",
        "vol",
        "approx", "max", "min", "incl", "excl", "inc", "ltd", "co", "corp", "dept", "est", "ed", "eds", "pp", "op",
        "art",
        "z.b", "d.h", "u.a", "s.o", "s.u", "u.u", "i.d.r", "o.ä", "bzw", "ca", "nr", "abb", "kap", "vgl", "ggf", "evtl",
        "usw",
        "zzgl", "inkl", "exkl", "mind", "str", "tel", "bsp", "sog", "gem", "abs", "hr", "fr", "jh", "mio", "mrd", "m",
        "p.ex",
        "av", "env", "mme", "ej", "pág", "sr", "sra", "núm", "aprox", "ecc", "sig", "pag", "temp", "jan", "feb", "mar",
        "apr",
        "jun", "jul", "aug", "sep", "sept", "oct", "okt", "nov", "dec", "dez",
    ]
}

/// Which line breaks of a text were meant, and are not just where a line was full.
private struct LineBreaks {
    /// The line ends that were meant.
    private var meant: Set<Int> = []
    private(set) var areAllMeant = false
    private(set) var lineCount: Int

    init(_ text: [UInt8], _ range: Range<Int>) {
        let lines = text.lines(in: range)
        lineCount = lines.count
        let width = lines.reduce(0) { max($0, $1.count) }
        guard lines.count > 1 else { return }
        for (line, next) in zip(lines, lines.dropFirst()) {
            let content = text.trimmed(next)
            let word = text[content].prefix { !$0.isBlank }.count
            let isItem = [0x2D, 0x2A, 0x2B].contains(text[content].first) && word == 1
            if content.isEmpty || isItem || line.count + 1 + word <= width { meant.insert(line.upperBound) }
        }
        areAllMeant = meant.count * 2 >= lines.count - 1
    }

    /// Whether the line break at an offset ends a sentence.
    func ends(_ offset: Int) -> Bool { areAllMeant || meant.contains(offset) }
}

/// The scalars of a range of UTF-8, with their offsets.
struct Scalars {
    private var values: [UInt32] = []
    private var offsets: [UInt32] = []
    private let base: Int

    init(_ text: [UInt8], _ range: Range<Int>) {
        base = range.lowerBound
        values.reserveCapacity(range.count)
        offsets.reserveCapacity(range.count + 1)
        var offset = 0
        for scalar in String(decoding: text[range], as: UTF8.self).unicodeScalars {
            values.append(scalar.value)
            offsets.append(UInt32(truncatingIfNeeded: offset))
            offset += UTF8.width(scalar)
        }
        offsets.append(UInt32(truncatingIfNeeded: offset))
    }

    var count: Int { values.count }
    subscript(index: Int) -> UInt32 { values[index] }
    /// Where a scalar begins in the text.
    func offset(_ index: Int) -> Int { base + Int(offsets[index]) }

    func string(_ range: Range<Int>) -> String {
        var string = ""
        string.unicodeScalars.append(contentsOf: values[range].lazy.compactMap { Unicode.Scalar($0) })
        return string
    }
}
