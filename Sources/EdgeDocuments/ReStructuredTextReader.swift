/// reStructuredText: headings underlined (and overlined) with a row of marks, paragraphs, indented blocks. Marks stay in the text.
///
/// The level of a heading is when its kind of row first came, as Docutils has it.
enum ReStructuredTextReader {
    static func read(_ text: [UInt8]) -> ReadDocument {
        let lines = text.lines(in: PlainReader.start(of: text)..<text.count)
        var blocks: [ReadDocument.Block] = []
        var styles: [[UInt8]] = []
        var open: Range<Int>?
        func close() {
            if let lines = open { blocks += PlainReader.paragraphs(of: text, slice(lines)) }
            open = nil
        }
        func slice(_ range: Range<Int>) -> [Range<Int>] { Array(lines[range]) }
        func add(_ title: Range<Int>, style: [UInt8], whole: Range<Int>) {
            let level = styles.firstIndex(of: style) ?? styles.count
            if level == styles.count { styles.append(style) }
            blocks.append(.init(.heading(level: level + 1, title: String(decoding: text[title], as: UTF8.self)), whole))
        }
        var i = 0
        while i < lines.count {
            let line = lines[i]
            if let mark = adornment(text, line), i + 2 < lines.count, !text.isBlank(lines[i + 1]),
                adornment(text, lines[i + 2]) == mark, adornment(text, lines[i + 1]) == nil
            {
                close()
                add(
                    text.trimmed(lines[i + 1]), style: [mark, mark],
                    whole: text.trimmed(line.lowerBound..<lines[i + 2].upperBound))
                i += 3
            } else if i + 1 < lines.count, !text.isBlank(line), !text[line.lowerBound].isBlank,
                adornment(text, line) == nil, let mark = adornment(text, lines[i + 1]),
                i == 0 || text.isBlank(lines[i - 1]),
                // A row that is shorter than the title is a mistake, but a common one, and still meant.
                lines[i + 1].count >= 3
            {
                close()
                add(text.trimmed(line), style: [mark], whole: text.trimmed(line.lowerBound..<lines[i + 1].upperBound))
                i += 2
            } else {
                open = (open?.lowerBound ?? i)..<i + 1
                i += 1
            }
        }
        close()
        return ReadDocument(text: text, blocks: blocks)
    }

    /// The mark that a line is a row of; nil for other lines.
    private static func adornment(_ text: [UInt8], _ line: Range<Int>) -> UInt8? {
        guard line.count >= 2, let mark = text[line].first, mark > 0x20, mark < 0x7F, !mark.isDigit, !mark.isLetter
        else { return nil }
        let content = text.trimmed(line)
        guard content.lowerBound == line.lowerBound, content.count >= 2, text[content].allSatisfy({ $0 == mark }) else {
            return nil
        }
        return mark
    }
}
