/// The splitters that most models use, written out by hand. Each follows the regular expression in its comment as
/// llama.cpp reads it; `start..<end` counts code points and each piece adds its end to `ends`.
enum Splitters {
    private static let letter = CharacterClass.letter.rawValue
    private static let number = CharacterClass.number.rawValue
    private static let space = CharacterClass.space.rawValue
    private static let mark = CharacterClass.mark.rawValue

    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
    static func gpt2(_ text: ScalarText, _ start: Int, _ end: Int, _ ends: inout [Int]) {
        let word = letter | number | space
        var position = start
        while position < end {
            let scalar = text.scalars[position]
            if scalar == 0x27 {
                let length = text.contraction(position, end, anyCase: false)
                if length > 0 {
                    position += length
                    ends.append(position)
                    continue
                }
            }
            let lead = scalar == 0x20 && position + 1 < end ? position + 1 : position
            let kind = text.classes[lead] & word
            if kind & space == 0 {
                position = lead + 1
                while position < end && text.classes[position] & word == kind { position += 1 }
                ends.append(position)
                continue
            }
            position = spaces(text, position, end)
            ends.append(position)
        }
    }

    /// End of the white space that a piece takes: all of it before the end of text, else all but the last.
    private static func spaces(_ text: ScalarText, _ position: Int, _ end: Int) -> Int {
        var next = position
        while next < end && text.classes[next] & space != 0 { next += 1 }
        return next < end && next - position > 1 ? next - 1 : max(next, position + 1)
    }

    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|`
    /// `\s+(?!\S)|\s+`; with `marks`, `\p{M}` counts among the letters.
    static func llama3(
        _ text: ScalarText, _ start: Int, _ end: Int, _ ends: inout [Int], digits: Int, marks: Bool = false
    ) {
        let letters = marks ? letter | mark : letter
        let word = letters | number | space
        var position = start
        while position < end {
            let scalar = text.scalars[position]
            let kind = text.classes[position]
            if scalar == 0x27 {
                let length = text.contraction(position, end, wide: true)
                if length > 0 {
                    position += length
                    ends.append(position)
                    continue
                }
            }
            let isBreak = scalar == 0x0A || scalar == 0x0D
            if kind & number == 0 && !isBreak
                && (kind & letters != 0 || (position + 1 < end && text.classes[position + 1] & letters != 0))
            {
                position += 1
                while position < end && text.classes[position] & letters != 0 { position += 1 }
                ends.append(position)
                continue
            }
            if kind & number != 0 {
                let limit = min(end, position + digits)
                position += 1
                while position < limit && text.classes[position] & number != 0 { position += 1 }
                ends.append(position)
                continue
            }
            position = symbolsOrBlanks(text, position, end, word: word)
            ends.append(position)
        }
    }

    /// Where a piece that begins with neither a letter nor a digit ends: ` ?[^\s\p{L}\p{N}]+[\r\n]*`, else as `blanks`.
    @inline(__always)
    private static func symbolsOrBlanks(_ text: ScalarText, _ position: Int, _ end: Int, word: UInt16) -> Int {
        let lead = text.scalars[position] == 0x20 && position + 1 < end ? position + 1 : position
        guard text.classes[lead] & word == 0 else { return blanks(text, position, end) }
        var next = lead + 1
        while next < end && text.classes[next] & word == 0 { next += 1 }
        return breaks(text, next, end)
    }

    @inline(__always)
    private static func breaks(_ text: ScalarText, _ position: Int, _ end: Int) -> Int {
        var next = position
        while next < end && (text.scalars[next] == 0x0A || text.scalars[next] == 0x0D) { next += 1 }
        return next
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+`
    private static func blanks(_ text: ScalarText, _ position: Int, _ end: Int) -> Int {
        var next = position
        var lastBreak = 0
        while next < end && text.classes[next] & space != 0 {
            let scalar = text.scalars[next]
            next += 1
            if scalar == 0x0A || scalar == 0x0D { lastBreak = next }
        }
        if lastBreak > 0 { return lastBreak }
        return next < end && next - position > 1 ? next - 1 : max(next, position + 1)
    }

    /// Kimi K2: runs of Han characters; other letters with a contraction; the rest as in `llama3`.
    static func kimi(_ text: ScalarText, _ start: Int, _ end: Int, _ ends: inout [Int]) {
        let word = letter | number | space
        var position = start
        while position < end {
            let scalar = text.scalars[position]
            let kind = text.classes[position]
            if isHan(scalar) {
                while position < end && isHan(text.scalars[position]) { position += 1 }
                ends.append(position)
                continue
            }
            let isBreak = scalar == 0x0A || scalar == 0x0D
            let leads =
                !isBreak && kind & (letter | number) == 0 && position + 1 < end
                && text.classes[position + 1] & letter != 0 && !isHan(text.scalars[position + 1])
            if kind & letter != 0 || leads {
                position += 1
                while position < end && text.classes[position] & letter != 0 && !isHan(text.scalars[position]) {
                    position += 1
                }
                position += text.contraction(position, end, wide: true)
                ends.append(position)
                continue
            }
            if kind & number != 0 {
                let limit = min(end, position + 3)
                while position < limit && text.classes[position] & number != 0 { position += 1 }
                ends.append(position)
                continue
            }
            position = symbolsOrBlanks(text, position, end, word: word)
            ends.append(position)
        }
    }

    private static func isHan(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2EBEF,
            0xF900...0xFAFF, 0x2F800...0x2FA1F:
            true
        default: false
        }
    }

    /// Digits in threes counted from the right; `1234567` gives `1`, `234`, `567`.
    static func digitGroups(_ text: ScalarText, _ start: Int, _ end: Int, _ ends: inout [Int]) {
        var position = start
        var previous = start
        while position < end {
            if text.classes[position] & number == 0 {
                position += 1
                continue
            }
            // What precedes the digits joins their first group only where the group is whole, as llama.cpp has it.
            var stop = position
            while stop < end && text.classes[stop] & number != 0 { stop += 1 }
            var next = position + (stop - position) % 3
            if next == position { next += 3 }
            while next <= stop {
                ends.append(next)
                previous = next
                next += 3
            }
            position = stop
        }
        if previous < end { ends.append(end) }
    }

    /// Runs without line feeds and runs of line feeds.
    static func lines(_ text: ScalarText, _ start: Int, _ end: Int, _ ends: inout [Int]) {
        var position = start
        while position < end {
            let isBreak = text.scalars[position] == 0x0A
            while position < end && (text.scalars[position] == 0x0A) == isBreak { position += 1 }
            ends.append(position)
        }
    }

    /// Splits off white space at the end: `\s+$`.
    static func trailingSpaces(_ text: ScalarText, _ start: Int, _ end: Int, _ ends: inout [Int]) {
        var position = end
        while position > start && text.classes[position - 1] & space != 0 { position -= 1 }
        if position > start && position < end { ends.append(position) }
        ends.append(end)
    }

    /// A boundary wherever a multiple of three ASCII digits remains: `(?=(\d{3})+(?!\d))`.
    static func beforeThousands(_ text: ScalarText, _ start: Int, _ end: Int, _ ends: inout [Int]) {
        var stop = start
        for position in start..<end {
            if position >= stop {
                stop = position
                while stop < end && text.scalars[stop] >= 0x30 && text.scalars[stop] <= 0x39 { stop += 1 }
            }
            if stop > position && (stop - position) % 3 == 0 && position > start { ends.append(position) }
        }
        ends.append(end)
    }
}
