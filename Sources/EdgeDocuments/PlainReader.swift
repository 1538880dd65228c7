/// Plain text: paragraphs between blank lines.
enum PlainReader {
    static func read(_ text: [UInt8]) -> ReadDocument {
        ReadDocument(text: text, blocks: paragraphs(of: text, text.lines(in: start(of: text)..<text.count)))
    }

    /// Where the text begins, after a mark of UTF-8.
    static func start(of text: [UInt8]) -> Int { text.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0 }

    /// Lines joined to paragraphs.
    static func paragraphs(of text: [UInt8], _ lines: [Range<Int>]) -> [ReadDocument.Block] {
        var blocks: [ReadDocument.Block] = []
        var first: Int?
        for (index, line) in lines.enumerated() {
            if !text.isBlank(line) {
                first = first ?? index
                if index + 1 < lines.count { continue }
            }
            if let start = first {
                let last = text.isBlank(line) ? index - 1 : index
                blocks.append(
                    .init(.paragraph, text.trimmed(lines[start].lowerBound..<lines[last].upperBound)))
                first = nil
            }
        }
        return blocks
    }
}
