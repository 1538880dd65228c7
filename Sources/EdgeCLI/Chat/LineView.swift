/// How a text that is being edited lies on the screen: rows of a terminal, cut where it would wrap.
struct LineView: Equatable {
    private(set) var rows: [String]
    private(set) var cursorRow: Int
    private(set) var cursorColumn: Int

    /// Lays out a prompt and the text behind it; of more rows than the screen has, those around the cursor.
    init(prompt: String, _ characters: [Character], cursor: Int, columns: Int, height: Int) {
        let columns = max(columns, 4)
        var lines = [prompt]
        var column = prompt.reduce(0) { $0 + $1.columns }
        var place = (row: 0, column: column)
        for index in 0...characters.count {
            let character: Character = index < characters.count ? characters[index] : " "
            let width = character.isNewline ? 1 : character.columns
            if column + width > columns {
                lines.append("")
                column = 0
            }
            if index == cursor { place = (lines.count - 1, column) }
            guard index < characters.count else { break }
            if character.isNewline {
                lines.append("")
                column = 0
            } else {
                lines[lines.count - 1] += character.shown
                column += width
            }
        }
        let count = max(1, height)
        let first = min(max(0, place.row - count / 2), max(0, lines.count - count))
        rows = Array(lines[first..<min(lines.count, first + count)])
        cursorRow = place.row - first
        cursorColumn = place.column
    }

    /// What a terminal must be sent to show this where `previous` was, if anything was.
    func drawing(over previous: LineView?) -> String {
        var out = "\r"
        if let row = previous?.cursorRow, row > 0 { out += "\u{1B}[\(row)A" }
        out += "\u{1B}[J" + rows.joined(separator: "\r\n")
        if rows.count - 1 > cursorRow { out += "\u{1B}[\(rows.count - 1 - cursorRow)A" }
        out += "\r"
        if cursorColumn > 0 { out += "\u{1B}[\(cursorColumn)C" }
        return out
    }

    /// What brings the cursor below all of it.
    var leaving: String {
        (rows.count - 1 > cursorRow ? "\u{1B}[\(rows.count - 1 - cursorRow)B" : "") + "\r\n"
    }
}

extension Character {
    /// What is shown for the character: itself, unless it would move the cursor.
    var shown: String {
        if self == "\t" { return "    " }
        guard let first = unicodeScalars.first else { return "" }
        switch first.value {
        case 0..<32: return "^" + String(Unicode.Scalar(UInt8(first.value + 64)))
        case 0x7F..<0xA0: return "?"
        default: return String(self)
        }
    }

    /// Columns that a terminal gives the character.
    var columns: Int {
        if self == "\t" { return 4 }
        guard let first = unicodeScalars.first else { return 0 }
        switch first.value {
        case 0..<32: return 2
        case 0x20..<0x300: return first.value == 0xAD ? 0 : 1
        default: break
        }
        // A base with the variation selector for emoji, a flag, or a keycap is wide as a whole.
        if unicodeScalars.contains(where: { $0.value == 0xFE0F }) { return 2 }
        let properties = first.properties
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        return properties.isEmojiPresentation || Character.isWide(first.value) ? 2 : 1
    }

    /// East Asian wide and full-width blocks (UAX 11), and the emoji beside them.
    private static func isWide(_ value: UInt32) -> Bool {
        switch value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
            0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
            0x1F1E6...0x1F1FF, 0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            true
        default: false
        }
    }
}
