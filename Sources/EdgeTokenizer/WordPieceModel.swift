/// WordPiece as BERT models in GGUF have it: the first piece of a word carries U+2581, and the longest piece goes first.
struct WordPieceModel: Sendable {
    private var tokens: StringTable
    private let unknown: Int32
    private let lowercases: Bool
    private let stripsAccents: Bool

    init(tokens texts: PackedStrings, isHidden: [Bool], unknown: Int32, lowercases: Bool, stripsAccents: Bool) {
        tokens = StringTable(capacity: texts.count)
        for id in 0..<texts.count {
            let range = texts.range(id)
            tokens.append(texts.bytes, range, isHidden: isHidden[id] || range.isEmpty)
        }
        self.unknown = unknown
        self.lowercases = lowercases
        self.stripsAccents = stripsAccents
    }

    /// Appends the tokens of `text[range]`.
    func encode(_ text: [UInt8], _ range: Range<Int>, _ output: inout [Int32]) {
        let table = CharacterTable.stages
        var word: [UInt8] = []
        var position = range.lowerBound
        while position < range.upperBound {
            let read = CodePoints.read(text, position, range.upperBound)
            position += read.length
            var scalar = read.scalar
            if stripsAccents && scalar >= 0xC0 { scalar = CharacterTable.decomposition[scalar] ?? scalar }
            let block = Int(scalar >> 8)
            let kind = CharacterClass(
                rawValue: block < table.first.count
                    ? table.second[Int(table.first[block]) << 8 | Int(scalar & 0xFF)]
                    : CharacterClass.unassigned.rawValue)
            if kind.contains(.space) {
                finish(&word, &output)
                continue
            }
            if scalar == 0 || scalar == 0xFFFD || scalar > 0x10FFFF || kind.contains(.control) { continue }
            if stripsAccents && kind.contains(.mark) { continue }
            if lowercases { scalar = CharacterTable.lowercased(scalar) }
            let standsAlone =
                kind.contains(.punctuation) || (scalar < 0x7F && kind.contains(.symbol)) || Self.isHan(scalar)
            if standsAlone { finish(&word, &output) }
            if word.isEmpty { word.append(contentsOf: [0xE2, 0x96, 0x81]) }
            CodePoints.append(scalar, to: &word)
            if standsAlone { finish(&word, &output) }
        }
        finish(&word, &output)
    }

    /// Emits the pieces of a word, or the unknown token where some part of it is in no piece.
    private func finish(_ word: inout [UInt8], _ output: inout [Int32]) {
        if word.isEmpty { return }
        defer { word.removeAll(keepingCapacity: true) }
        let before = output.count
        var start = 0
        while start < word.count {
            var end = min(word.count, start + tokens.longest)
            var token: Int32 = -1
            while end > start {
                token = tokens.find(word, start..<end)
                if token >= 0 { break }
                end -= 1
            }
            if token < 0 {
                output.removeSubrange(before...)
                break
            }
            output.append(token)
            start = end
        }
        if output.count == before && unknown >= 0 { output.append(unknown) }
    }

    private static func isHan(_ scalar: UInt32) -> Bool {
        switch scalar {
        // The reference implementation starts Extension E at 2B920, not 2B820; vocabularies were made with that.
        case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F,
            0x2B920...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F:
            true
        default: false
        }
    }
}
