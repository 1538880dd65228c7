/// Reads JSON while it is being written: what stands there for certain is kept, what may still change is left out.
///
/// Each character is read once, however the text is cut. A string is kept as far as it goes and a word such as `tru` is completed; a
/// number at the end may have more digits and is left out, as is a name without a value.
struct PartialContent: Sendable {
    /// An object or list that is open.
    private struct Level: Sendable {
        var isObject: Bool
        var id: GenerationID?
        var keys: [String] = []
        var properties: [String: GeneratedContent] = [:]
        var elements: [GeneratedContent] = []
    }

    /// What may come next.
    private enum Next: Sendable { case value, valueOrEnd, name, nameOrEnd, colon, commaOrEnd }

    /// What is being read.
    private enum Token: Sendable {
        case none
        case string(Escape)
        case number([UInt8])
        case word([UInt8], met: Int)
    }

    /// Where in an escape a string is.
    private enum Escape: Sendable {
        case none
        case letter
        case digits(count: Int, value: UInt32, high: UInt32?)
        /// Behind the first half of a pair.
        case second(high: UInt32, isOpen: Bool)
    }

    private let id: GenerationID?
    private var levels: [Level] = []
    private var next = Next.value
    private var token = Token.none
    private var text = ""
    /// The name of the value that follows.
    private var key = ""
    private var root: GeneratedContent?
    private var isBroken = false
    private var count = 0

    /// As many as a whole text may have.
    private static let (maximumBytes, maximumLevels) = (4 << 20, 128)

    /// - Parameter id: the name of the value, from which those of its parts are made; nil gives none.
    init(id: GenerationID? = nil) { self.id = id }

    /// The value that a text begins; nil where it begins none, or is no JSON.
    static func content(of text: String) -> GeneratedContent? {
        var reader = PartialContent()
        reader.append(text)
        return reader.content
    }

    /// Adds text.
    mutating func append(_ more: some StringProtocol) {
        var run: [UInt8] = []
        for byte in more.utf8 {
            guard !isBroken else { return }
            count += 1
            guard count <= Self.maximumBytes else { return fail() }
            // Characters of a string that stand for themselves are added together.
            if case .string(.none) = token, byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                run.append(byte)
                continue
            }
            if !run.isEmpty {
                text += String(decoding: run, as: UTF8.self)
                run.removeAll(keepingCapacity: true)
            }
            take(byte)
        }
        if !run.isEmpty { text += String(decoding: run, as: UTF8.self) }
    }

    /// The value so far, with `isComplete` false on all that is open; nil where there is none yet, or the text is no JSON. A number alone
    /// is never known to be whole.
    var content: GeneratedContent? {
        guard !isBroken else { return nil }
        if let root { return root }
        var inner: GeneratedContent?
        switch token {
        case .string where takesValue:
            inner = GeneratedContent(.string(text), id: childID, isComplete: false)
        case .word(let letters, _):
            inner = GeneratedContent(Self.value(of: letters), id: childID, isComplete: !levels.isEmpty)
        default: break
        }
        for (index, level) in levels.enumerated().reversed() {
            var level = level
            if let inner { Self.add(inner, named: index == levels.count - 1 ? key : level.keys.last ?? "", to: &level) }
            inner = Self.content(of: level, isComplete: false)
        }
        return inner
    }

    private mutating func fail() { isBroken = true }

    private var takesValue: Bool { next == .value || next == .valueOrEnd }

    private mutating func take(_ byte: UInt8) {
        switch token {
        case .string(let escape): return string(escape, byte)
        case .word(let letters, let met):
            guard letters[met] == byte else { return fail() }
            token = .word(letters, met: met + 1)
            if met + 1 == letters.count { add(Self.value(of: letters)) }
            return
        case .number(var digits):
            if Self.isOfNumber(byte) {
                token = .none
                digits.append(byte)
                token = .number(digits)
                return
            }
            guard let number = ExactNumber(String(decoding: digits, as: UTF8.self)) else { return fail() }
            add(.number(number))
        case .none: break
        }
        switch byte {
        case 0x20, 0x09, 0x0A, 0x0D: break
        case UInt8(ascii: "{"), UInt8(ascii: "["): open(isObject: byte == UInt8(ascii: "{"))
        case UInt8(ascii: "}"), UInt8(ascii: "]"): close(isObject: byte == UInt8(ascii: "}"))
        case UInt8(ascii: ","):
            guard next == .commaOrEnd, let level = levels.last else { return fail() }
            next = level.isObject ? .name : .value
        case UInt8(ascii: ":"):
            guard next == .colon else { return fail() }
            next = .value
        case UInt8(ascii: "\""):
            guard takesValue || next == .name || next == .nameOrEnd else { return fail() }
            token = .string(.none)
            text = ""
        case UInt8(ascii: "t"): word("true")
        case UInt8(ascii: "f"): word("false")
        case UInt8(ascii: "n"): word("null")
        default:
            guard takesValue, Self.isOfNumber(byte) else { return fail() }
            token = .number([byte])
        }
    }

    private static func isOfNumber(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || byte == 0x2B || byte == 0x2D || byte == 0x2E || byte | 0x20 == 0x65
    }

    private mutating func word(_ word: String) {
        guard takesValue else { return fail() }
        token = .word(Array(word.utf8), met: 1)
    }

    private static func value(of word: [UInt8]) -> GeneratedContent.Storage {
        word[0] == UInt8(ascii: "n") ? .null : .bool(word[0] == UInt8(ascii: "t"))
    }

    private mutating func string(_ escape: Escape, _ byte: UInt8) {
        switch escape {
        case .none:
            switch byte {
            case UInt8(ascii: "\\"): token = .string(.letter)
            case UInt8(ascii: "\""):
                guard next == .name || next == .nameOrEnd else { return add(.string(text)) }
                // Two spellings of one name, which JSON tells apart and Swift does not, are one too many as well.
                guard levels.last?.properties[text] == nil else { return fail() }
                (key, next, token) = (text, .colon, .none)
            default: fail()
            }
        case .letter:
            guard byte != UInt8(ascii: "u") else {
                token = .string(.digits(count: 0, value: 0, high: nil))
                return
            }
            let letters: [UInt8: Unicode.Scalar] = [
                0x22: "\"", 0x5C: "\\", 0x2F: "/", 0x62: "\u{8}", 0x66: "\u{C}", 0x6E: "\n", 0x72: "\r", 0x74: "\t",
            ]
            guard let scalar = letters[byte] else { return fail() }
            add(scalar)
        case .digits(let count, let value, let high):
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return fail() }
            let value = value << 4 | UInt32(digit)
            guard count == 3 else {
                token = .string(.digits(count: count + 1, value: value, high: high))
                return
            }
            if let high {
                guard (0xDC00..<0xE000).contains(value),
                    let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + value - 0xDC00)
                else { return fail() }
                add(scalar)
            } else if let scalar = Unicode.Scalar(value) {
                add(scalar)
            } else {
                guard value < 0xDC00 else { return fail() }
                token = .string(.second(high: value, isOpen: false))
            }
        case .second(let high, let isOpen):
            guard byte == (isOpen ? UInt8(ascii: "u") : UInt8(ascii: "\\")) else { return fail() }
            token = .string(isOpen ? .digits(count: 0, value: 0, high: high) : .second(high: high, isOpen: true))
        }
    }

    private mutating func add(_ scalar: Unicode.Scalar) {
        text.unicodeScalars.append(scalar)
        token = .string(.none)
    }

    /// The name of the value that comes next.
    private var childID: GenerationID? {
        guard let level = levels.last else { return id }
        return level.id?.part(level.isObject ? key : "\(level.elements.count)")
    }

    private mutating func open(isObject: Bool) {
        guard takesValue, levels.count < Self.maximumLevels else { return fail() }
        let level = Level(isObject: isObject, id: childID)
        // Its place among the others is kept; the value follows.
        if let last = levels.indices.last, levels[last].isObject { levels[last].keys.append(key) }
        levels.append(level)
        next = isObject ? .nameOrEnd : .valueOrEnd
    }

    private mutating func close(isObject: Bool) {
        guard next == .commaOrEnd || next == (isObject ? .nameOrEnd : .valueOrEnd), let level = levels.popLast(),
            level.isObject == isObject
        else { return fail() }
        let content = Self.content(of: level, isComplete: true)
        if let last = levels.indices.last {
            if let name = levels[last].keys.last, levels[last].isObject {
                levels[last].properties[name] = content
            } else {
                levels[last].elements.append(content)
            }
        } else {
            root = content
        }
        next = .commaOrEnd
    }

    /// A value that is no object and no list is whole.
    private mutating func add(_ value: GeneratedContent.Storage) {
        let content = GeneratedContent(value, id: childID)
        if let last = levels.indices.last { Self.add(content, named: key, to: &levels[last]) } else { root = content }
        (token, next) = (.none, .commaOrEnd)
    }

    private static func add(_ content: GeneratedContent, named key: String, to level: inout Level) {
        guard level.isObject else { return level.elements.append(content) }
        if level.properties.updateValue(content, forKey: key) == nil, level.keys.last != key { level.keys.append(key) }
    }

    private static func content(of level: Level, isComplete: Bool) -> GeneratedContent {
        GeneratedContent(
            level.isObject ? .structure(level.properties, level.keys) : .array(level.elements), id: level.id,
            isComplete: isComplete)
    }
}
