internal import Foundation

/// What a text is found by, word for word: the terms of a lexical index.
///
/// - Words are folded: small letters, no accents, `ß` as `ss`. Each gives two terms: itself, and after a `~` the first six letters
///   of what is left without an ending of English or German, so that inflected and compound words find each other in any language with
///   an alphabet. On XQuAD this ranks better in English and in German than a stemmer of the language (README).
/// - Codes such as `P0301` are words.
/// - Scripts without spaces (Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese) give each character and each pair of neighbours.
/// - Arabic is normalised (forms of alef, ta marbuta, vowel signs) and stripped of the article, conjunctions and common endings.
package enum Terms {
    /// Goes up when the terms of a text change: an index made by another version is made anew.
    package static let version = 1

    /// The terms that a query is searched with, each once, and those of them that are codes or numbers.
    ///
    /// Words that stand in every question ("what does … mean") are left out, if any other is left: in texts that are no questions they are
    /// rare, and would count for much.
    package static func ofQuery(_ query: String) -> (terms: [String], codes: [String]) {
        var seen: Set<String> = []
        let all = of(query).filter { seen.insert($0).inserted }
        let telling = all.filter { !commonWords.contains($0) && !commonBeginnings.contains($0) }
        let terms = telling.isEmpty ? all : telling
        return (terms, terms.filter { $0.first != "~" && $0.utf8.count >= 3 && $0.utf8.contains(where: \.isDigit) })
    }

    /// Question words and the words between others, of English, German, French and Spanish, folded.
    private static let commonWords: Set<String> = Set(
        """
        a an the of to in on at for from by with and or is are was were be been do does did can could should would will what which who \
        whom whose when where why how mean means it its this that these those there i my me you your we our about if as der die das den \
        dem des ein eine einen einem einer und oder ist sind war waren wird werden kann konnen soll was welche welcher welches welchen \
        wer wem wen wann wo warum wieso wie bedeutet ich mein mir mich du sie wir uns es im am zu zum zur von vom mit auf fur bei nach \
        aus le la les un une des du de et ou est sont que quel quelle quels quelles qui quand comment pourquoi il elle je mon ma mes \
        dans sur pour par avec el los las una y o es son que cual cuales quien cuando donde como por para con en del al se mi
        """.split(separator: " ").map { String($0) })
    private static let commonBeginnings: Set<String> = Set(
        commonWords.flatMap { (word: String) -> [String] in of(word) }.filter { $0.hasPrefix("~") })

    /// Longer words are cut: no word is so long, and the index stays bounded.
    private static let longestWord = 64

    /// The terms of a text, in order, with repetitions. No term has white space or quotes in it.
    package static func of(_ text: String) -> [String] {
        var terms: [String] = []
        var word: [Unicode.Scalar] = []
        var run: [Unicode.Scalar] = []
        func closeWord() {
            if !word.isEmpty { add(word, to: &terms) }
            word.removeAll(keepingCapacity: true)
        }
        func closeRun() {
            for (index, scalar) in run.enumerated() {
                terms.append(String(Character(scalar)))
                guard index + 1 < run.count else { break }
                var pair = String.UnicodeScalarView()
                pair.append(scalar)
                pair.append(run[index + 1])
                terms.append(String(pair))
            }
            run.removeAll(keepingCapacity: true)
        }
        for scalar in text.unicodeScalars {
            if scalar.isASCII {
                let byte = UInt8(truncatingIfNeeded: scalar.value)
                closeRun()
                if byte.isLetter || byte.isDigit {
                    if word.count < longestWord { word.append(scalar) }
                } else {
                    closeWord()
                }
            } else if isUnspaced(scalar.value) {
                closeWord()
                run.append(scalar)
            } else if isWordPart(scalar) {
                closeRun()
                if word.count < longestWord { word.append(scalar) }
            } else if scalar.value != 0xAD, scalar.value != 0x200C, scalar.value != 0x200D {
                // A soft hyphen and joiners are in words without being of them.
                closeWord()
                closeRun()
            }
        }
        closeWord()
        closeRun()
        return terms
    }

    private static func isWordPart(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber,
            .otherNumber, .nonspacingMark, .spacingMark:
            true
        default: false
        }
    }

    /// Scripts that write without spaces between words, or, as Korean, glue endings to them.
    private static func isUnspaced(_ value: UInt32) -> Bool {
        switch value {
        case 0x0E00...0x0EFF, 0x1000...0x109F, 0x1780...0x17FF, 0x3040...0x30FF, 0x3105...0x318F, 0x31A0...0x31BF,
            0x31F0...0x31FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xAC00...0xD7AF, 0xF900...0xFAFF, 0xFF66...0xFF9F,
            0x20000...0x3FFFF, 0x3005...0x3007:
            true
        default: false
        }
    }

    private static func add(_ word: [Unicode.Scalar], to terms: inout [String]) {
        let folded = fold(word)
        guard let first = folded.first else { return }
        if isArabic(first) {
            terms.append(string(stemArabic(folded)[...]))
        } else {
            terms.append(string(folded[...]))
            terms.append("~" + string(stem(folded).prefix(6)))
        }
    }

    private static func string(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    /// Small letters without marks.
    private static func fold(_ word: [Unicode.Scalar]) -> [Unicode.Scalar] {
        if word.allSatisfy(\.isASCII) {
            return word.map { (0x41...0x5A).contains($0.value) ? Unicode.Scalar($0.value | 0x20) ?? $0 : $0 }
        }
        var folded: [Unicode.Scalar] = []
        for scalar in string(word[...]).lowercased().decomposedStringWithCompatibilityMapping.unicodeScalars {
            switch scalar {
            case "ß": folded += ["s", "s"]
            case "æ": folded += ["a", "e"]
            case "œ": folded += ["o", "e"]
            case "ø": folded.append("o")
            case "đ": folded.append("d")
            case "ł": folded.append("l")
            case "ı": folded.append("i")
            case "\u{640}": break
            case "ٱ": folded.append("ا")
            case "ى": folded.append("ي")
            case "ة": folded.append("ه")
            default:
                switch scalar.properties.generalCategory {
                // Marks of Arabic letters are among these: hamza and madda come off by decomposition.
                case .nonspacingMark where scalar.value < 0x900, .enclosingMark: break
                case .spaceSeparator: break
                default: folded.append(scalar)
                }
            }
        }
        return folded
    }

    private static func isArabic(_ scalar: Unicode.Scalar) -> Bool {
        (0x600...0x6FF).contains(scalar.value) || (0x750...0x77F).contains(scalar.value)
    }

    /// Endings of English: plural, -ing, -ed, -e; then of German: -ern, -em, -en, -er, -es, -e, -s, -n.
    private static func stem(_ word: [Unicode.Scalar]) -> ArraySlice<Unicode.Scalar> {
        guard word.count > 3, word.allSatisfy({ (0x61...0x7A).contains($0.value) }) else { return word[...] }
        var word = word[...]
        func ends(_ ending: String) -> Bool {
            word.suffix(ending.unicodeScalars.count).elementsEqual(ending.unicodeScalars)
        }
        if ends("ies"), word.count > 4 {
            word = word.dropLast(2)
        } else if ends("ses") || ends("xes") || ends("zes") || ends("hes") {
            word = word.dropLast(2)
        } else if ends("s"), !ends("ss"), !ends("us") {
            word = word.dropLast()
        }
        for ending in ["ing", "ed"] where ends(ending) && word.count - ending.count >= 3 {
            let rest = word.dropLast(ending.count)
            guard rest.contains(where: { "aeiouy".unicodeScalars.contains($0) }) else { continue }
            word = rest
            if word.count > 3, let last = word.last, word.dropLast().last == last, !"lsz".unicodeScalars.contains(last)
            {
                word = word.dropLast()
            }
            break
        }
        if word.count > 4, word.last == "e" { word = word.dropLast() }
        for ending in ["ern", "em", "en", "er", "es", "e", "s", "n"]
        where ends(ending) && word.count - ending.count >= 4 {
            word = word.dropLast(ending.count)
            break
        }
        return word
    }

    private static let prefixes = ["وال", "بال", "كال", "فال", "لل", "ال"].map { Array($0.unicodeScalars) }
    private static let suffixes = ["ها", "ان", "ات", "ون", "ين", "يه", "ه", "ي"].map { Array($0.unicodeScalars) }

    /// The light stemming of Arabic: one article or conjunction before, one ending after.
    private static func stemArabic(_ word: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var word = word[...]
        if let prefix = prefixes.first(where: { word.starts(with: $0) && word.count - $0.count >= 3 }) {
            word = word.dropFirst(prefix.count)
        } else if word.first == "و", word.count >= 4 {
            word = word.dropFirst()
        }
        if let suffix = suffixes.first(where: { word.suffix($0.count).elementsEqual($0) && word.count - $0.count >= 3 })
        {
            word = word.dropLast(suffix.count)
        }
        return Array(word)
    }
}
