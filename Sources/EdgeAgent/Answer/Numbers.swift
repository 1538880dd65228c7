/// The numbers in a text, digit by digit as they stand there.
enum Numbers {
    /// A number with the letters before it, as in `P0301`, and its sign.
    struct Found: Hashable {
        var text: String
        /// In characters of the text.
        var range: Range<Int>
    }

    /// All numbers of a text: digits, with points and commas between them.
    ///
    /// Letters right before a number are part of it, so that `P0301` is not `C0301`. A minus is where a word begins with one; `70-110` and
    /// `5%-6%` are ranges.
    static func all(in text: some Sequence<Character>) -> [Found] {
        let characters = Array(text)
        var (found, index): ([Found], Int) = ([], 0)
        while index < characters.count {
            guard isDigit(characters[index]) else {
                index += 1
                continue
            }
            var end = index + 1
            while end < characters.count {
                if isDigit(characters[end]) {
                    end += 1
                } else if ".,".contains(characters[end]), end + 1 < characters.count, isDigit(characters[end + 1]) {
                    end += 2
                } else {
                    break
                }
            }
            var start = index
            while start > 0, characters[start - 1].isLetter { start -= 1 }
            var word = String(characters[start..<end]).lowercased()
            if start == index, start > 0, "-\u{2212}".contains(characters[start - 1]),
                start == 1 || characters[start - 2].isWhitespace || "([{:;=,/\"'<>±~≈".contains(characters[start - 2])
            {
                start -= 1
                word = "-" + word
            }
            found.append(Found(text: word, range: start..<end))
            index = end
        }
        return found
    }

    /// Digits of any script, and signs such as ½ and ².
    private static func isDigit(_ character: Character) -> Bool {
        character.unicodeScalars.contains {
            switch $0.properties.generalCategory {
            case .decimalNumber, .otherNumber: true
            default: false
            }
        }
    }
}
