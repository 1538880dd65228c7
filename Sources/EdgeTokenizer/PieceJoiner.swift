/// Joins the bytes of tokens to text: drops the space that stands before a text, and for WordPiece those before punctuation.
struct PieceJoiner: Sendable {
    private var dropsSpace: Bool
    private let cleansSpaces: Bool
    /// A lone apostrophe after a space waits for what follows: between spaces, it loses both.
    private var holdsApostrophe = false

    init(_ tokenizer: Tokenizer, continuesText: Bool = false) {
        cleansSpaces = tokenizer.cleansSpaces
        dropsSpace = (tokenizer.addsSpacePrefix || cleansSpaces) && !continuesText
    }

    mutating func append(_ bytes: [UInt8], to text: inout [UInt8]) {
        if bytes.isEmpty { return }
        var piece = bytes[...]
        if dropsSpace {
            dropsSpace = false
            if piece.first == 0x20 { piece = piece.dropFirst() }
        } else if cleansSpaces {
            let isSpaced = piece.count > 1 && piece.first == 0x20
            // ! , . ?
            if isSpaced, [0x21, 0x2C, 0x2E, 0x3F].contains(piece[piece.startIndex + 1]) { piece = piece.dropFirst() }
            if holdsApostrophe {
                holdsApostrophe = false
                let isBetween = piece.first == 0x20
                text.append(contentsOf: isBetween ? [0x27] : [0x20, 0x27])
                if isBetween { piece = piece.dropFirst() }
            } else if piece.elementsEqual([0x20, 0x27]) {
                holdsApostrophe = true
                return
            }
        }
        text.append(contentsOf: piece)
    }

    /// Adds what still waited.
    mutating func finish(_ text: inout [UInt8]) {
        if holdsApostrophe { text.append(contentsOf: [0x20, 0x27]) }
        holdsApostrophe = false
    }
}
