/// Markdown: headings (`#`, and underlined), paragraphs, list items, fenced and indented code, tables. Marks stay in the text.
enum MarkdownReader {
    static func read(_ text: [UInt8]) -> ReadDocument {
        let lines = text.lines(in: PlainReader.start(of: text)..<text.count)
        var reader = Reader(text: text, lines: lines)
        return ReadDocument(text: text, blocks: reader.read())
    }

    private struct Reader {
        let text: [UInt8]
        let lines: [Range<Int>]
        var blocks: [ReadDocument.Block] = []
        /// Of the block that is being read.
        var start: Int?
        var kind = ReadDocument.Block.Kind.paragraph

        init(text: [UInt8], lines: [Range<Int>]) {
            self.text = text
            self.lines = lines
        }

        mutating func read() -> [ReadDocument.Block] {
            var i = frontMatterEnd()
            while i < lines.count {
                let content = text.trimmed(lines[i])
                if content.isEmpty {
                    close(before: i)
                } else if let fence = fence(content) {
                    close(before: i)
                    i = readCode(from: i, fence)
                    continue
                } else if let heading = heading(content) {
                    close(before: i)
                    blocks.append(.init(heading, content))
                } else if let level = underline(content), start != nil, kind == .paragraph {
                    closeAsHeading(level: level, before: i)
                } else if isRule(content) {
                    close(before: i)
                } else if text[content.lowerBound] == 0x7C {
                    begin(.lines, at: i)
                } else if isItem(content) {
                    close(before: i)
                    begin(.paragraph, at: i)
                } else {
                    begin(kind == .lines && start != nil ? .lines : .paragraph, at: i)
                }
                i += 1
            }
            close(before: lines.count)
            return blocks
        }

        private mutating func begin(_ kind: ReadDocument.Block.Kind, at index: Int) {
            if start != nil, self.kind == kind { return }
            close(before: index)
            start = index
            self.kind = kind
        }

        private mutating func close(before index: Int) {
            guard let first = start, first < index else { return }
            let range = text.trimmed(lines[first].lowerBound..<lines[index - 1].upperBound)
            if !range.isEmpty { blocks.append(.init(kind, range)) }
            start = nil
            kind = .paragraph
        }

        /// The lines of the open paragraph are a heading, as the line after them is an underline.
        private mutating func closeAsHeading(level: Int, before index: Int) {
            guard let first = start else { return }
            let title = text.trimmed(lines[first].lowerBound..<lines[index - 1].upperBound)
            blocks.append(
                .init(
                    .heading(level: level, title: plain(title)),
                    text.trimmed(lines[first].lowerBound..<lines[index].upperBound)))
            start = nil
        }

        /// The line after a block of keys and values between `---` at the very beginning.
        private mutating func frontMatterEnd() -> Int {
            guard let first = lines.first, text[text.trimmed(first)].elementsEqual("---".utf8),
                let end = lines.indices.dropFirst().first(where: {
                    let line = text[text.trimmed(lines[$0])]
                    return line.elementsEqual("---".utf8) || line.elementsEqual("...".utf8)
                })
            else { return 0 }
            if end > 1 {
                let range = text.trimmed(lines[1].lowerBound..<lines[end - 1].upperBound)
                if !range.isEmpty { blocks.append(.init(.lines, range)) }
            }
            return end + 1
        }

        /// The marks that open code: three or more backticks or tildes.
        private func fence(_ content: Range<Int>) -> (mark: UInt8, count: Int)? {
            let mark = text[content.lowerBound]
            guard mark == 0x60 || mark == 0x7E else { return nil }
            let count = text[content].prefix { $0 == mark }.count
            return count >= 3 ? (mark, count) : nil
        }

        /// Reads to the closing fence, or to the end.
        private mutating func readCode(from index: Int, _ fence: (mark: UInt8, count: Int)) -> Int {
            var end = index + 1
            while end < lines.count {
                let content = text.trimmed(lines[end])
                if !content.isEmpty, let closing = self.fence(content), closing.mark == fence.mark,
                    closing.count >= fence.count, closing.count == content.count
                {
                    break
                }
                end += 1
            }
            if end > index + 1 {
                let range = text.trimmed(lines[index + 1].lowerBound..<lines[end - 1].upperBound)
                if !range.isEmpty { blocks.append(.init(.lines, range)) }
            }
            return end + 1
        }

        private func heading(_ content: Range<Int>) -> ReadDocument.Block.Kind? {
            let level = text[content].prefix { $0 == 0x23 }.count
            guard (1...6).contains(level) else { return nil }
            let rest = content.lowerBound + level..<content.upperBound
            guard rest.isEmpty || text[rest.lowerBound].isBlank else { return nil }
            var title = text.trimmed(rest)
            let closing = text[title].reversed().prefix { $0 == 0x23 }.count
            if closing > 0, closing == title.count || text[title.upperBound - closing - 1].isBlank {
                title = text.trimmed(title.lowerBound..<title.upperBound - closing)
            }
            return .heading(level: level, title: plain(title))
        }

        private func underline(_ content: Range<Int>) -> Int? {
            let mark = text[content.lowerBound]
            guard mark == 0x3D || mark == 0x2D, text[content].allSatisfy({ $0 == mark }) else { return nil }
            return mark == 0x3D ? 1 : 2
        }

        private func isRule(_ content: Range<Int>) -> Bool {
            let mark = text[content.lowerBound]
            guard mark == 0x2D || mark == 0x2A || mark == 0x5F else { return false }
            let marks = text[content].filter { $0 != 0x20 }
            return marks.count >= 3 && marks.allSatisfy { $0 == mark }
        }

        private func isItem(_ content: Range<Int>) -> Bool {
            let bytes = text[content]
            let digits = bytes.prefix(while: \.isDigit).count
            if digits > 0 {
                let rest = bytes.dropFirst(digits)
                return digits < 10 && (rest.first == 0x2E || rest.first == 0x29) && rest.dropFirst().first == 0x20
            }
            let mark = text[content.lowerBound]
            return (mark == 0x2D || mark == 0x2A || mark == 0x2B) && bytes.dropFirst().first == 0x20
        }

        /// A title without marks of emphasis and code.
        private func plain(_ range: Range<Int>) -> String {
            String(
                decoding: text[range].filter { $0 != 0x2A && $0 != 0x60 }.map { $0.isNewline ? 0x20 : $0 },
                as: UTF8.self)
        }
    }
}
