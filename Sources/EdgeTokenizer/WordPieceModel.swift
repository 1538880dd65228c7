/// WordPiece as BERT models in GGUF have it: the first piece of a word carries U+2581, and the longest piece goes first.
///
/// Text is cleaned as the reference implementation does: decomposed without nonspacing marks where `stripsAccents`, in lower
/// case where `lowercases`. A word of any length is cut into pieces; the reference gives up beyond a hundred letters.
struct WordPieceModel: Sendable {
    private let pieces: ByteTrie
    private let unknown: Int32
    private let lowercases: Bool
    private let stripsAccents: Bool

    init(tokens: PackedStrings, isHidden: [Bool], unknown: Int32, lowercases: Bool, stripsAccents: Bool) {
        pieces = ByteTrie(tokens, isHidden: isHidden)
        self.unknown = unknown
        self.lowercases = lowercases
        self.stripsAccents = stripsAccents
    }

    /// Appends the tokens of `text[range]`.
    func encode(_ text: [UInt8], _ range: Range<Int>, _ output: inout [Int32]) {
        let table = CharacterTable.stages
        var word: [UInt8] = []
        var parts: [UInt32] = []
        var position = range.lowerBound
        while position < range.upperBound {
            let read = CodePoints.read(text, position, range.upperBound)
            position += read.length
            if stripsAccents {
                CharacterTable.decompose(read.scalar, into: &parts)
                for part in parts { add(part, table, &word, &output) }
            } else {
                add(read.scalar, table, &word, &output)
            }
        }
        finish(&word, &output)
    }

    @inline(__always)
    private func add(
        _ scalar: UInt32, _ table: (first: [UInt16], second: [UInt16]), _ word: inout [UInt8], _ output: inout [Int32]
    ) {
        let kind = CharacterTable.kind(of: scalar, table)
        // Of the control characters only tab and line breaks part words.
        if kind.contains(.space) && (!kind.contains(.control) || [0x09, 0x0A, 0x0D].contains(scalar)) {
            finish(&word, &output)
            return
        }
        if scalar == 0 || scalar == 0xFFFD || scalar > 0x10FFFF || kind.contains(.control) { return }
        if stripsAccents && kind.contains(.mark) && CharacterTable.isNonspacing(mark: scalar) { return }
        let standsAlone =
            kind.contains(.punctuation) || (scalar < 0x7F && kind.contains(.symbol)) || Self.isHan(scalar)
        if standsAlone { finish(&word, &output) }
        if word.isEmpty { word.append(contentsOf: [0xE2, 0x96, 0x81]) }
        CodePoints.append(lowercases ? CharacterTable.lowercased(scalar) : scalar, to: &word)
        // I with a dot above is the one letter whose lower case is two code points.
        if lowercases && scalar == 0x130 { CodePoints.append(0x307, to: &word) }
        if standsAlone { finish(&word, &output) }
    }

    /// Emits the pieces of a word, or the unknown token where some part of it is in no piece.
    private func finish(_ word: inout [UInt8], _ output: inout [Int32]) {
        if word.isEmpty { return }
        defer { word.removeAll(keepingCapacity: true) }
        let before = output.count
        var start = 0
        while start < word.count {
            guard let piece = pieces.longestMatch(word, start, word.count) else {
                output.removeSubrange(before...)
                break
            }
            output.append(piece.value)
            start = piece.end
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
