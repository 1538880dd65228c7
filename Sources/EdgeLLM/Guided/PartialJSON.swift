/// Reads JSON that breaks off: what stands there for certain is kept, what may still change is left out.
///
/// One pass over the bytes, to the last place where the text could be cut, and the brackets that are open there. A string is kept
/// as far as it goes and a word such as `tru` is completed; a number at the end may have more digits and is left out, as is a name
/// without a value.
enum PartialJSON {
    /// The value that a text begins, with `isComplete` false on all that is open; nil where it begins none, or is no JSON. A number
    /// alone is never known to be whole.
    static func content(of text: String) -> GeneratedContent? {
        var scanner = Scanner(bytes: Array(text.utf8))
        guard scanner.scan(), let end = scanner.cutEnd,
            let content = try? GeneratedContent.read(
                scanner.bytes[..<end] + scanner.cutMore + scanner.cutOpen.reversed())
        else { return nil }
        let levels = scanner.cutOpen.count + (scanner.cutsString ? 1 : 0)
        return levels == 0 && scanner.cutMore.isEmpty ? content : content.opened(levels)
    }

    private struct Scanner {
        /// What may come next.
        enum Next { case value, valueOrEnd, name, nameOrEnd, colon, commaOrEnd }

        let bytes: [UInt8]
        /// Closing brackets of what is open, outermost first.
        var open: [UInt8] = []
        var next = Next.value
        var place = 0
        /// The last place where the text can be cut, what must follow there, and what is open.
        var cutEnd: Int?
        var cutMore: [UInt8] = []
        var cutOpen: [UInt8] = []
        var cutsString = false

        /// Never more open than the reader reads.
        private static let limit = 128

        init(bytes: [UInt8]) { self.bytes = bytes }

        /// Whether the text begins a value.
        mutating func scan() -> Bool {
            while place < bytes.count {
                switch bytes[place] {
                case 0x20, 0x09, 0x0A, 0x0D: place += 1
                case UInt8(ascii: "{"): guard begin(UInt8(ascii: "}"), .nameOrEnd) else { return false }
                case UInt8(ascii: "["): guard begin(UInt8(ascii: "]"), .valueOrEnd) else { return false }
                case UInt8(ascii: "}"), UInt8(ascii: "]"): guard end() else { return false }
                case UInt8(ascii: ","):
                    guard next == .commaOrEnd, let last = open.last else { return false }
                    next = last == UInt8(ascii: "}") ? .name : .value
                    place += 1
                case UInt8(ascii: ":"):
                    guard next == .colon else { return false }
                    next = .value
                    place += 1
                case UInt8(ascii: "\""): guard string() else { return false }
                case UInt8(ascii: "t"): guard word("true") else { return false }
                case UInt8(ascii: "f"): guard word("false") else { return false }
                case UInt8(ascii: "n"): guard word("null") else { return false }
                default: guard number() else { return false }
                }
            }
            return true
        }

        private var takesValue: Bool { next == .value || next == .valueOrEnd }

        /// A value ends here.
        private mutating func mark(with more: [UInt8] = [], cutsString: Bool = false) {
            (cutEnd, cutMore, cutOpen, self.cutsString) = (place, more, open, cutsString)
            next = .commaOrEnd
        }

        private mutating func begin(_ close: UInt8, _ inside: Next) -> Bool {
            guard takesValue, open.count < Self.limit else { return false }
            open.append(close)
            place += 1
            mark()
            next = inside
            return true
        }

        private mutating func end() -> Bool {
            guard next == .commaOrEnd || next == .nameOrEnd || next == .valueOrEnd, open.popLast() == bytes[place]
            else {
                return false
            }
            place += 1
            mark()
            return true
        }

        private mutating func string() -> Bool {
            let isName = next == .name || next == .nameOrEnd
            guard isName || takesValue else { return false }
            place += 1
            while place < bytes.count {
                if bytes[place] == UInt8(ascii: "\"") {
                    place += 1
                    if isName { next = .colon } else { mark() }
                    return true
                }
                guard let length = characterLength else { return false }
                guard place + length <= bytes.count else { break }
                place += length
            }
            if !isName { mark(with: [UInt8(ascii: "\"")], cutsString: true) }
            place = bytes.count
            return true
        }

        /// Bytes of the character here, an escape as a whole, whether they are all there or not; nil for no character of JSON.
        private var characterLength: Int? {
            guard bytes[place] == UInt8(ascii: "\\") else { return bytes[place] < 0x20 ? nil : 1 }
            guard place + 1 < bytes.count else { return 2 }
            guard bytes[place + 1] == UInt8(ascii: "u") else {
                return "\"\\/bfnrt".utf8.contains(bytes[place + 1]) ? 2 : nil
            }
            guard let first = unit(at: place) else { return nil }
            guard first.isWhole, UTF16.isLeadSurrogate(first.value) else { return 6 }
            let second = bytes[(place + 6)...].prefix(2)
            guard [UInt8(ascii: "\\"), UInt8(ascii: "u")].starts(with: second), unit(at: place + 6) != nil else {
                return nil
            }
            return 12
        }

        /// The four digits behind `\u`, as far as they are there; nil where something else is.
        private func unit(at place: Int) -> (value: UInt16, isWhole: Bool)? {
            guard place + 2 < bytes.count else { return (0, false) }
            let digits = bytes[(place + 2)...].prefix(4)
            var value: UInt16 = 0
            for digit in digits {
                guard let digit = Character(Unicode.Scalar(digit)).hexDigitValue else { return nil }
                value = value << 4 | UInt16(truncatingIfNeeded: digit)
            }
            return (value, digits.count == 4)
        }

        private mutating func word(_ word: String) -> Bool {
            let letters = Array(word.utf8)
            let there = bytes[place...].prefix(letters.count)
            guard takesValue, letters.starts(with: there) else { return false }
            place += there.count
            mark(with: Array(letters[there.count...]))
            return true
        }

        private mutating func number() -> Bool {
            let rest = bytes[place...].prefix { byte in
                (0x30...0x39).contains(byte) || [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains(byte)
            }
            guard takesValue, !rest.isEmpty else { return false }
            place += rest.count
            // One that ends the text may have more digits.
            if place < bytes.count { mark() }
            return true
        }
    }
}

extension GeneratedContent {
    /// The same value, itself and the last parts of so many levels in all marked as unfinished.
    fileprivate func opened(_ levels: Int) -> GeneratedContent {
        var made = self
        if levels > 1 {
            switch storage {
            case .array(let elements):
                let last = elements.last.map { [$0.opened(levels - 1)] } ?? []
                made = GeneratedContent(.array(elements.dropLast() + last), id: id)
            case .structure(var properties, let keys):
                if let last = keys.last { properties[last] = properties[last]?.opened(levels - 1) }
                made = GeneratedContent(.structure(properties, keys), id: id)
            default: break
            }
        }
        made.isComplete = false
        return made
    }
}
