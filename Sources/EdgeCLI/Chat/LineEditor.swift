/// A line, or several, that grows under the keys of a terminal.
///
/// Takes the bytes that a terminal sends, whole or in pieces: UTF-8, control keys, escape sequences, and pastes between the
/// marks of bracketed paste, in which nothing is a key.
struct LineEditor {
    /// What keys came to.
    enum Outcome: Equatable {
        /// The text is finished.
        case text(String)
        /// Ctrl-C: the text was given up.
        case abandoned
        /// Ctrl-D with no text: nothing more will come.
        case end
        /// Ctrl-L.
        case clearScreen
    }

    private(set) var characters: [Character] = []
    /// The character that keys are inserted before.
    private(set) var cursor = 0
    private var history: [String] = []
    /// The place in the history that is shown; its end for the new text.
    private var place = 0
    /// The new text, while the history is shown.
    private var draft = ""
    /// Bytes whose meaning the next ones decide.
    private var pending: [UInt8] = []
    private var isPasting = false

    var text: String { String(characters) }

    /// Takes bytes. What comes after a finished text is kept for the next call with no bytes.
    mutating func feed(_ bytes: [UInt8]) -> Outcome? {
        pending += bytes
        var index = 0
        defer { pending.removeFirst(min(index, pending.count)) }
        while index < pending.count {
            if let run = plainRun(from: index) {
                guard run > index else { return nil }
                insert(String(decoding: pending[index..<run], as: UTF8.self))
                index = run
                continue
            }
            if isPasting {
                guard pasted(&index) else { return nil }
                continue
            }
            if pending[index] == 0x1B {
                guard let length = escapeLength(from: index) else { return nil }
                let sequence = String(decoding: pending[index + 1..<index + length], as: UTF8.self)
                index += length
                escape(sequence)
                continue
            }
            let key = pending[index]
            index += 1
            if let outcome = control(key) { return outcome }
        }
        return nil
    }

    /// Forgets what is being written, not the history.
    mutating func reset() {
        characters = []
        cursor = 0
        draft = ""
        place = history.count
    }

    /// Keeps a text for the up key.
    mutating func remember(_ text: String) {
        if !text.isEmpty, history.last != text { history.append(text) }
        place = history.count
    }

    /// Where the plain text from a place ends; the place itself where its first character is not whole; nil where none stands there.
    private func plainRun(from start: Int) -> Int? {
        var end = start
        while end < pending.count, pending[end] >= 0x20, pending[end] != 0x7F { end += 1 }
        guard end > start else { return nil }
        guard end == pending.count else { return end }
        // The last character may be cut.
        for length in 1...3 where end - length >= start {
            let lead = pending[end - length]
            if lead & 0xC0 == 0x80 { continue }
            let needed = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1
            return needed > length ? end - length : end
        }
        return end
    }

    /// One byte or mark of a paste; false where more is needed.
    private mutating func pasted(_ index: inout Int) -> Bool {
        let closing = Array("\u{1B}[201~".utf8)
        let rest = pending[index...]
        if rest.starts(with: closing) {
            isPasting = false
            index += closing.count
        } else if closing.starts(with: rest) {
            return false
        } else {
            let byte = pending[index]
            index += 1
            switch byte {
            case 13:
                insert("\n")
                if index < pending.count, pending[index] == 10 { index += 1 }
            case 10: insert("\n")
            default: insert(String(Unicode.Scalar(byte)))
            }
        }
        return true
    }

    /// The length of the escape sequence at a place, or nil where it is not whole.
    private func escapeLength(from start: Int) -> Int? {
        guard start + 1 < pending.count else { return nil }
        switch pending[start + 1] {
        case UInt8(ascii: "["):
            var end = start + 2
            while end < pending.count, !(0x40...0x7E).contains(pending[end]) { end += 1 }
            return end < pending.count ? end - start + 1 : nil
        case UInt8(ascii: "O"): return start + 2 < pending.count ? 3 : nil
        default: return 2
        }
    }

    private mutating func escape(_ sequence: String) {
        switch sequence {
        case "[A", "OA": recall(place - 1)
        case "[B", "OB": recall(place + 1)
        case "[C", "OC": cursor = min(cursor + 1, characters.count)
        case "[D", "OD": cursor = max(cursor - 1, 0)
        case "[H", "OH", "[1~", "[7~": cursor = lineStart
        case "[F", "OF", "[4~", "[8~": cursor = lineEnd
        case "[3~": delete(cursor..<cursor + 1)
        case "[1;5C", "[1;3C", "f": cursor = wordEnd
        case "[1;5D", "[1;3D", "b": cursor = wordStart
        case "d": delete(cursor..<wordEnd)
        case "\r", "\n": insert("\n")
        case "[200~": isPasting = true
        default: break
        }
    }

    private mutating func control(_ key: UInt8) -> Outcome? {
        switch key {
        case 1: cursor = lineStart
        case 2: cursor = max(cursor - 1, 0)
        case 3:
            reset()
            return .abandoned
        case 4:
            if characters.isEmpty { return .end }
            delete(cursor..<cursor + 1)
        case 5: cursor = lineEnd
        case 6: cursor = min(cursor + 1, characters.count)
        case 8, 127: delete(cursor - 1..<cursor)
        case 9: insert("\t")
        case 10, 13:
            // A backslash at the very end asks for another line.
            if cursor == characters.count, characters.last == "\\" {
                delete(cursor - 1..<cursor)
                insert("\n")
                return nil
            }
            let text = text
            remember(text)
            reset()
            return .text(text)
        case 11: delete(cursor..<(cursor == lineEnd ? cursor + 1 : lineEnd))
        case 12: return .clearScreen
        case 14: recall(place + 1)
        case 16: recall(place - 1)
        case 21: delete(lineStart..<cursor)
        case 23: delete(wordStart..<cursor)
        default: break
        }
        return nil
    }

    /// Inserted as text, so that what combines with the character before does.
    private mutating func insert(_ text: String) {
        let before = Array(String(characters[..<cursor]) + text)
        characters = before + characters[cursor...]
        cursor = before.count
    }

    private mutating func delete(_ range: Range<Int>) {
        let range = range.clamped(to: 0..<characters.count)
        characters.removeSubrange(range)
        if cursor > range.lowerBound { cursor = max(range.lowerBound, cursor - range.count) }
    }

    private mutating func recall(_ wanted: Int) {
        guard wanted != place, (0...history.count).contains(wanted) else { return }
        if place == history.count { draft = text }
        place = wanted
        characters = Array(wanted == history.count ? draft : history[wanted])
        cursor = characters.count
    }

    private var lineStart: Int { characters[..<cursor].lastIndex { $0.isNewline }.map { $0 + 1 } ?? 0 }
    private var lineEnd: Int { characters[cursor...].firstIndex { $0.isNewline } ?? characters.count }

    private var wordStart: Int {
        var index = cursor
        while index > 0, characters[index - 1].isWhitespace { index -= 1 }
        while index > 0, !characters[index - 1].isWhitespace { index -= 1 }
        return index
    }

    private var wordEnd: Int {
        var index = cursor
        while index < characters.count, characters[index].isWhitespace { index += 1 }
        while index < characters.count, !characters[index].isWhitespace { index += 1 }
        return index
    }
}
