/// A piece of a template: text between tags, or a word within one.
struct Token: Sendable {
    enum Kind: Sendable, Equatable {
        case data(Text)
        case variableBegin, variableEnd, blockBegin, blockEnd
        case name(Int)
        case string(Text)
        case integer(Int)
        case float(Double)
        case symbol(Symbol)
        case end
    }

    var kind: Kind
    var at: Int
}

enum Symbol: String, Sendable {
    case plus = "+"
    case minus = "-"
    case slash = "/"
    case doubleSlash = "//"
    case star = "*"
    case doubleStar = "**"
    case percent = "%"
    case tilde = "~"
    case leftBracket = "["
    case rightBracket = "]"
    case leftParenthesis = "("
    case rightParenthesis = ")"
    case leftBrace = "{"
    case rightBrace = "}"
    case equal = "=="
    case notEqual = "!="
    case greater = ">"
    case greaterOrEqual = ">="
    case less = "<"
    case lessOrEqual = "<="
    case assign = "="
    case dot = "."
    case colon = ":"
    case pipe = "|"
    case comma = ","
    case semicolon = ";"

    /// The symbol that two characters begin with, and its length.
    static func named(_ first: UInt32, _ second: UInt32) -> (Symbol, Int)? {
        switch (Unicode.Scalar(first) ?? " ", Unicode.Scalar(second) ?? " ") {
        case ("/", "/"): (.doubleSlash, 2)
        case ("*", "*"): (.doubleStar, 2)
        case ("=", "="): (.equal, 2)
        case ("!", "="): (.notEqual, 2)
        case (">", "="): (.greaterOrEqual, 2)
        case ("<", "="): (.lessOrEqual, 2)
        case ("+", _): (.plus, 1)
        case ("-", _): (.minus, 1)
        case ("/", _): (.slash, 1)
        case ("*", _): (.star, 1)
        case ("%", _): (.percent, 1)
        case ("~", _): (.tilde, 1)
        case ("[", _): (.leftBracket, 1)
        case ("]", _): (.rightBracket, 1)
        case ("(", _): (.leftParenthesis, 1)
        case (")", _): (.rightParenthesis, 1)
        case ("{", _): (.leftBrace, 1)
        case ("}", _): (.rightBrace, 1)
        case (">", _): (.greater, 1)
        case ("<", _): (.less, 1)
        case ("=", _): (.assign, 1)
        case (".", _): (.dot, 1)
        case (":", _): (.colon, 1)
        case ("|", _): (.pipe, 1)
        case (",", _): (.comma, 1)
        case (";", _): (.semicolon, 1)
        default: nil
        }
    }
}

/// The template as characters, and where its lines begin.
struct Source: Sendable {
    let scalars: [UInt32]

    /// Line ends become line feeds, and one at the very end goes, as in Python's Jinja.
    init(_ text: String) {
        var scalars: [UInt32] = []
        scalars.reserveCapacity(text.utf8.count)
        var afterReturn = false
        for scalar in text.unicodeScalars {
            let value = scalar.value
            if value == 10, afterReturn {
                afterReturn = false
                continue
            }
            afterReturn = value == 13
            scalars.append(value == 13 ? 10 : value)
        }
        if scalars.last == 10 { scalars.removeLast() }
        self.scalars = scalars
    }

    /// The error with line and column of a place.
    func error(_ code: TemplateError.Code, _ message: String, at offset: Int) -> TemplateError {
        var line = 1
        var column = 1
        for scalar in scalars.prefix(max(0, offset)) {
            if scalar == 10 {
                line += 1
                column = 1
            } else {
                column += 1
            }
        }
        return TemplateError(code, message, line: line, column: column)
    }
}

/// Cuts a template into tokens, with the white space rules that transformers sets: the line feed after a block goes,
/// and so do blanks before a block that begins its line.
struct Lexer {
    let source: Source
    private var position = 0
    private var startsLine = true
    private(set) var tokens: [Token] = []
    private(set) var names = NameTable()

    init(_ source: Source) { self.source = source }

    private enum Tag: Equatable { case variable, block, comment }

    private func at(_ index: Int) -> UInt32 { index < source.scalars.count ? source.scalars[index] : 0 }

    private func has(_ character: Unicode.Scalar, _ index: Int) -> Bool { at(index) == character.value }

    private func fail(_ message: String, at offset: Int) -> TemplateError {
        source.error(.syntax, message, at: offset)
    }

    mutating func run() throws(TemplateError) {
        let count = source.scalars.count
        while position < count {
            let start = position
            guard let (place, tag) = nextTag(from: start) else {
                emit(start..<count)
                break
            }
            let sign = at(place + 2)
            emit(start..<textEnd(start, place, sign: sign, tag: tag))
            position = place + (sign == 45 || sign == 43 ? 3 : 2)
            switch tag {
            case .comment: try skipComment(from: place)
            case .variable:
                tokens.append(Token(kind: .variableBegin, at: place))
                try words(until: 125, from: place, end: .variableEnd)
            case .block:
                if try raw(from: place) { continue }
                tokens.append(Token(kind: .blockBegin, at: place))
                try words(until: 37, from: place, end: .blockEnd)
            }
        }
        tokens.append(Token(kind: .end, at: count))
    }

    private func nextTag(from start: Int) -> (Int, Tag)? {
        var index = start
        while index + 1 < source.scalars.count {
            if source.scalars[index] == 123 {
                switch source.scalars[index + 1] {
                case 123: return (index, .variable)
                case 37: return (index, .block)
                case 35: return (index, .comment)
                default: break
                }
            }
            index += 1
        }
        return nil
    }

    /// Where the text before a tag ends once white space is taken off as the tag asks.
    private func textEnd(_ start: Int, _ place: Int, sign: UInt32, tag: Tag) -> Int {
        var end = place
        if sign == 45 {
            while end > start, Characters.isSpace(source.scalars[end - 1]) { end -= 1 }
        } else if sign != 43, tag != .variable {
            while end > start, source.scalars[end - 1] != 10 {
                guard Characters.isSpace(source.scalars[end - 1]) else { return place }
                end -= 1
            }
            if end == start, !startsLine { return place }
        }
        return end
    }

    private mutating func emit(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        tokens.append(
            Token(
                kind: .data(Text(units: source.scalars[range].map { $0 | Text.trustBit })), at: range.lowerBound))
    }

    /// Passes the end of a tag at `index`, where `closer` and a brace stand, and the white space that goes with it.
    private mutating func close(at index: Int, trimsAll: Bool, trimsLine: Bool) {
        position = index + 2
        let count = source.scalars.count
        if trimsAll {
            while position < count, Characters.isSpace(source.scalars[position]) { position += 1 }
        } else if trimsLine, has("\n", position) {
            position += 1
        }
        startsLine = source.scalars[position - 1] == 10
    }

    private mutating func skipComment(from place: Int) throws(TemplateError) {
        var index = position
        while index + 1 < source.scalars.count {
            if source.scalars[index] == 35, source.scalars[index + 1] == 125 {
                let sign = index > position ? source.scalars[index - 1] : 0
                close(at: index, trimsAll: sign == 45, trimsLine: sign != 43)
                return
            }
            index += 1
        }
        throw fail("Missing end of comment tag", at: place)
    }

    private func skippingSpace(_ index: Int) -> Int {
        var index = index
        while index < source.scalars.count, Characters.isSpace(source.scalars[index]) { index += 1 }
        return index
    }

    private func reads(_ word: String, at index: Int) -> Int? {
        var index = index
        for scalar in word.unicodeScalars {
            guard at(index) == scalar.value else { return nil }
            index += 1
        }
        return index
    }

    /// Takes a raw block as text if one begins here.
    private mutating func raw(from place: Int) throws(TemplateError) -> Bool {
        guard var index = reads("raw", at: skippingSpace(position)) else { return false }
        index = skippingSpace(index)
        let trims = has("-", index)
        if trims { index += 1 }
        guard has("%", index), has("}", index + 1) else { return false }
        close(at: index, trimsAll: trims, trimsLine: false)
        let start = position
        var search = start
        while search + 1 < source.scalars.count {
            defer { search += 1 }
            guard source.scalars[search] == 123, source.scalars[search + 1] == 37 else { continue }
            let sign = at(search + 2)
            let word = skippingSpace(search + (sign == 45 || sign == 43 ? 3 : 2))
            guard var end = reads("endraw", at: word) else { continue }
            end = skippingSpace(end)
            let endSign = at(end)
            if endSign == 45 || endSign == 43 { end += 1 }
            guard has("%", end), has("}", end + 1) else { continue }
            emit(start..<textEnd(start, search, sign: sign, tag: .block))
            close(at: end, trimsAll: endSign == 45, trimsLine: endSign != 43)
            return true
        }
        throw fail("Missing end of raw directive", at: place)
    }

    /// The words of a tag, up to and with its end.
    private mutating func words(until closer: UInt32, from place: Int, end: Token.Kind) throws(TemplateError) {
        var open: [Symbol] = []
        let count = source.scalars.count
        while true {
            position = skippingSpace(position)
            guard position < count else {
                throw fail("Unexpected end of template, the tag opened here is not closed", at: place)
            }
            let start = position
            let first = source.scalars[start]
            if open.isEmpty {
                let signed = first == 45 || first == 43 && closer == 37
                let index = signed ? start + 1 : start
                if at(index) == closer, has("}", index + 1) {
                    tokens.append(Token(kind: end, at: start))
                    close(at: index, trimsAll: signed && first == 45, trimsLine: closer == 37 && !signed)
                    return
                }
            }
            if Characters.isDigit(first) {
                try number()
            } else if first == 95 || Characters.isLetter(first) {
                var index = start
                while index < count, Characters.isWord(source.scalars[index]) { index += 1 }
                position = index
                tokens.append(
                    Token(kind: .name(names.number(Text.string(source.scalars[start..<index]))), at: start))
            } else if first == 39 || first == 34 {
                try string(quote: first)
            } else {
                try symbol(&open)
            }
        }
    }

    private mutating func symbol(_ open: inout [Symbol]) throws(TemplateError) {
        let start = position
        guard let (found, length) = Symbol.named(at(start), at(start + 1)) else {
            throw fail("unexpected char '\(Text.string(source.scalars[start..<start + 1]))'", at: start)
        }
        position = start + length
        switch found {
        case .leftBrace, .leftBracket, .leftParenthesis: open.append(found)
        case .rightBrace, .rightBracket, .rightParenthesis:
            let opener = open.popLast()
            switch (opener, found) {
            case (.leftBrace, .rightBrace), (.leftBracket, .rightBracket), (.leftParenthesis, .rightParenthesis): break
            default: throw fail("unexpected '\(found.rawValue)'", at: start)
            }
        default: break
        }
        tokens.append(Token(kind: .symbol(found), at: start))
    }
}

// MARK: - Literals

extension Lexer {
    /// The digits from a place on, underscores between them left out, and where they end.
    private func digits(_ start: Int, _ isDigit: (UInt32) -> Bool) -> (text: String, end: Int) {
        var text = ""
        var index = start
        while true {
            if index < source.scalars.count, isDigit(source.scalars[index]) {
                text.unicodeScalars.append(Unicode.Scalar(UInt8(truncatingIfNeeded: source.scalars[index])))
                index += 1
            } else if index > start, has("_", index), isDigit(at(index + 1)) {
                index += 1
            } else {
                return (text, index)
            }
        }
    }

    private mutating func number() throws(TemplateError) {
        let start = position
        let bases: [Unicode.Scalar: Int] = ["b": 2, "o": 8, "x": 16]
        if has("0", start), let letter = Unicode.Scalar(at(start + 1) | 0x20), let base = bases[letter] {
            let (text, end) = digits(start + 2) { scalar in
                guard scalar < 0x80, let digit = Character(Unicode.Scalar(UInt8(scalar))).hexDigitValue else {
                    return false
                }
                return digit < base
            }
            if !text.isEmpty {
                guard let value = Int(text, radix: base) else { throw fail("the number is too large", at: start) }
                position = end
                tokens.append(Token(kind: .integer(value), at: start))
                return
            }
        }
        var (text, end) = digits(start, Characters.isDigit)
        var isFloat = false
        // After a dot a number is an index, never a fraction.
        if start == 0 || !has(".", start - 1) {
            if has(".", end), Characters.isDigit(at(end + 1)) {
                let fraction = digits(end + 1, Characters.isDigit)
                text += "." + fraction.text
                end = fraction.end
                isFloat = true
            }
            if at(end) | 0x20 == 101 {
                let sign = at(end + 1)
                let exponent = digits(sign == 43 || sign == 45 ? end + 2 : end + 1, Characters.isDigit)
                if !exponent.text.isEmpty {
                    text += (sign == 45 ? "e-" : "e") + exponent.text
                    end = exponent.end
                    isFloat = true
                }
            }
        }
        position = end
        if isFloat {
            tokens.append(Token(kind: .float(Double(text) ?? .infinity), at: start))
        } else {
            guard let value = Int(text) else { throw fail("the number is too large", at: start) }
            tokens.append(Token(kind: .integer(value), at: start))
        }
    }

    private mutating func string(quote: UInt32) throws(TemplateError) {
        let start = position
        var units: [UInt32] = []
        var index = start + 1
        while index < source.scalars.count {
            let scalar = source.scalars[index]
            if scalar == quote {
                position = index + 1
                tokens.append(Token(kind: .string(Text(units: units)), at: start))
                return
            }
            index += 1
            if scalar == 92, index < source.scalars.count {
                try escape(&index, into: &units)
            } else {
                units.append(scalar | Text.trustBit)
            }
        }
        throw fail("the string that begins here does not end", at: start)
    }

    /// What a backslash and the characters after it stand for, as in a Python string.
    private func escape(_ index: inout Int, into units: inout [UInt32]) throws(TemplateError) {
        let letter = source.scalars[index]
        let start = index - 1
        index += 1
        func add(_ scalar: UInt32) {
            units.append((Unicode.Scalar(scalar) == nil ? 0xFFFD : scalar) | Text.trustBit)
        }
        switch letter {
        case 10: break
        case 92, 39, 34: add(letter)
        case 97: add(7)
        case 98: add(8)
        case 102: add(12)
        case 110: add(10)
        case 114: add(13)
        case 116: add(9)
        case 118: add(11)
        case 48...55:
            var value = letter - 48
            var length = 1
            while length < 3, at(index) >= 48, at(index) <= 55 {
                value = value * 8 + at(index) - 48
                index += 1
                length += 1
            }
            add(value)
        case 120, 117, 85:
            let length = letter == 120 ? 2 : letter == 117 ? 4 : 8
            var value: UInt32 = 0
            for _ in 0..<length {
                let scalar = at(index)
                guard scalar < 0x80, let digit = Character(Unicode.Scalar(UInt8(scalar))).hexDigitValue else {
                    throw fail("the escape is not complete", at: start)
                }
                value = value << 4 | UInt32(digit)
                index += 1
            }
            guard value <= 0x10FFFF else { throw fail("no such character", at: start) }
            add(value)
        case 78: throw source.error(.unsupported, "characters by name are not supported", at: start)
        default:
            add(92)
            add(letter)
        }
    }
}
