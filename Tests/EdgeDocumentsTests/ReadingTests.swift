import Foundation
import Testing

@testable import EdgeDocuments

@Suite("Reading documents") struct ReadingTests {
    private func read(_ text: String, _ format: DocumentFormat) throws -> ReadDocument {
        try ReadDocument(Array(text.utf8), format: format)
    }

    private func shown(_ document: ReadDocument) -> [String] {
        document.blocks.map { block in
            switch block.kind {
            case .heading(let level, let title): "h\(level) \(title)"
            case .paragraph: "p \(document.string(block.range))"
            case .lines: "l \(document.string(block.range))"
            }
        }
    }

    @Test("Plain text: paragraphs between blank lines, whatever ends the lines")
    func plain() throws {
        #expect(
            try shown(read("\u{FEFF}One\ntwo\n\n \t\nthree\r\n\r\nfour", .plainText)) == [
                "p One\ntwo", "p three", "p four",
            ])
        #expect(try shown(read("", .plainText)).isEmpty)
        #expect(try shown(read("\n\n \n", .plainText)).isEmpty)
    }

    @Test("Markdown: headings of both kinds, items, code, tables")
    func markdown() throws {
        let document = try read(
            """
            ---
            title: x
            ---
            # The *car* #
            Some text
            over two lines.
            Wheels
            ------
            - one
            - two
            ```swift
            # no heading

            let x = 1
            ```
            | a | b |
            |---|---|
            ####### seven is too many
            ***
            ## `Code`
            """, .markdown)
        #expect(
            shown(document) == [
                "l title: x", "h1 The car", "h2 Some text over two lines. Wheels", "p - one", "p - two",
                "l # no heading\n\nlet x = 1", "l | a | b |\n|---|---|\n####### seven is too many", "h2 Code",
            ])
    }

    @Test("reStructuredText: the level of a heading is when its kind of row first came")
    func reStructuredText() throws {
        let document = try read(
            """
            =====
            Title
            =====

            Intro.

            Part
            ----
            Text of it.

            Detail
            ^^^^^^

            More
            ----
            End.
            """, .reStructuredText)
        #expect(
            shown(document) == ["h1 Title", "p Intro.", "h2 Part", "p Text of it.", "h3 Detail", "h2 More", "p End."])
    }

    @Test("HTML: text with its structure, and where it stood in the source")
    func html() throws {
        let source = """
            <!DOCTYPE html><html><head><title>Manual</title><style>p { color: red }</style></head>
            <body><nav>Home</nav><h1>Tyres &amp; wheels</h1><p>Press the <b>red</b>   button,<br>then wait 5&nbsp;s. <!-- no -->
            x &lt; y &unknown; &#x41;</p><script>if (a < b) alert("</p>")</script>
            <ul><li>first</li><li>second</li></ul><table><tr><td>1</td><td>2</td></tr></table>
            <pre>a
              b</pre></body></html>
            """
        let document = try read(source, .html)
        #expect(
            shown(document) == [
                "h1 Manual", "h1 Tyres & wheels", "p Press the red button,\nthen wait 5 s. x < y &unknown; A",
                "p first",
                "p second", "p 1 | 2", "l a\n  b",
            ])
        // Every block leads back to where it was written.
        let bytes = Array(source.utf8)
        for (block, start, end) in [(2, "Press the <b>red", "&#x41;"), (3, "first", "first"), (5, "1</td><td>2", "2")] {
            let range = document.sourceRange(of: document.blocks[block].range)
            let text = String(decoding: bytes[range], as: UTF8.self)
            #expect(text.hasPrefix(start) && text.hasSuffix(end), "\(text)")
        }
    }

    @Test("HTML that breaks off or nests without end gives text or nothing")
    func brokenHTML() throws {
        for source in [
            "<", "<p", "<p class=\"x", "<!--", "<![CDATA[", "&", "&#", "&#x110000;", "&#0;", "<script>", "a < b", "</",
            "<style>x</styl",
            String(repeating: "<div>", count: 100_000), String(repeating: "<p class='", count: 20_000),
        ] {
            _ = try read(source, .html)
        }
        #expect(try shown(read("a < b && c > d", .html)) == ["p a < b && c > d"])
    }

    @Test("What is no text is refused, with the byte")
    func notText() {
        for (bytes, offset) in [
            ([0x61, 0xFF, 0x62], 1), ([0x61, 0x00], 1), ([0xFF, 0xFE, 0x61], 0), ([0xC3, 0xA4, 0xC3], 2),
        ]
            as [([UInt8], Int)]
        {
            let error = #expect(throws: DocumentError.self) { try ReadDocument(bytes, format: .plainText) }
            #expect(error?.code == .notText && error?.byteOffset == offset)
        }
        let error = #expect(throws: DocumentError.self) {
            try ReadDocument([UInt8](repeating: 0x61, count: ReadDocument.sizeLimit + 1), format: .plainText)
        }
        #expect(error?.code == .tooLarge)
    }

    @Test("A PDF's pages", .enabled(if: PDFReader.tool != nil, "needs pdftotext"))
    func pdf() throws {
        let document = try ReadDocument(Array(Self.twoPages.utf8), format: .pdf)
        #expect(document.pageStarts.count == 2)
        #expect(shown(document) == ["p Engine oil", "p Brake fluid"])
        #expect(document.blocks.map { document.page(at: $0.range.lowerBound) } == [1, 2])
        let error = #expect(throws: DocumentError.self) { try ReadDocument(Array("no PDF".utf8), format: .pdf) }
        #expect(error?.code == .toolFailed)
    }

    /// A PDF of two pages with a line each; readers repair its missing table of offsets.
    private static let twoPages = """
        %PDF-1.4
        1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj
        2 0 obj <</Type/Pages/Kids[3 0 R 5 0 R]/Count 2>> endobj
        3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F 7 0 R>>>>>> endobj
        4 0 obj <</Length 41>> stream
        BT /F 12 Tf 20 100 Td (Engine oil) Tj ET
        endstream endobj
        5 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 6 0 R/Resources<</Font<</F 7 0 R>>>>>> endobj
        6 0 obj <</Length 42>> stream
        BT /F 12 Tf 20 100 Td (Brake fluid) Tj ET
        endstream endobj
        7 0 obj <</Type/Font/Subtype/Type1/BaseFont/Helvetica>> endobj
        trailer <</Root 1 0 R>>
        """

    @Test("Formats by name")
    func formats() {
        #expect(DocumentFormat(fileName: "a.MD") == .markdown)
        #expect(DocumentFormat(fileName: "a.b.rst") == .reStructuredText)
        #expect(DocumentFormat(fileName: ".txt") == nil)
        #expect(DocumentFormat(fileName: "txt") == nil)
        #expect(DocumentFormat(fileName: "a.exe") == nil)
    }
}
