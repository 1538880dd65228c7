import Testing

@testable import EdgeDocuments

@Suite("Sentences, passages and terms") struct SplittingTests {
    private func sentences(_ text: String) -> [String] {
        let bytes = Array(text.utf8)
        return Sentences.ranges(of: bytes, in: 0..<bytes.count).map { String(decoding: bytes[$0], as: UTF8.self) }
    }

    @Test("Sentences end where they end, in several languages")
    func ends() {
        #expect(
            sentences("Dr. Smith paid 3.50 euros, e.g. for oil. He left (\"quickly.\") Then? Yes! No… ok.") == [
                "Dr. Smith paid 3.50 euros, e.g. for oil.", "He left (\"quickly.\")", "Then?", "Yes!", "No…", "ok.",
            ])
        #expect(
            sentences("Am 3. März wurde z. B. das Öl gewechselt. Die Nr. 5 fehlt.") == [
                "Am 3. März wurde z. B. das Öl gewechselt.", "Die Nr. 5 fehlt.",
            ])
        #expect(sentences("发动机过热。请停车！为什么？“等待。”好") == ["发动机过热。", "请停车！", "为什么？", "“等待。”", "好"])
        #expect(sentences("هل المحرك ساخن؟ نعم. توقف!") == ["هل المحرك ساخن؟", "نعم.", "توقف!"])
        #expect(sentences("") == [] && sentences(" \n ") == [])
    }

    @Test("A line break ends a sentence where the next word would have fitted")
    func breaks() {
        #expect(
            sentences("P0301 - Cylinder 1 Misfire\nP0302 - Cylinder 2\nP0303 - x") == [
                "P0301 - Cylinder 1 Misfire", "P0302 - Cylinder 2", "P0303 - x",
            ])
        #expect(
            sentences("The quick brown fox jumps over the lazy\ndog, and then it goes to sleep for a long\ntime.") == [
                "The quick brown fox jumps over the lazy\ndog, and then it goes to sleep for a long\ntime."
            ])
    }

    private func pieces(
        _ text: String, _ format: DocumentFormat = .markdown, maximum: Int, overlap: Int = 0
    ) throws -> (ReadDocument, [Splitter.Piece]) {
        let document = try ReadDocument(Array(text.utf8), format: format)
        // Words.
        let splitter = Splitter(maximumTokens: maximum, overlap: overlap)
        return (document, splitter.split(document) { $0.split(whereSeparator: \.isWhitespace).count })
    }

    @Test("Passages stand under their headings and do not cross them")
    func headings() throws {
        let (document, found) = try pieces("intro\n# A\none\n\ntwo\n## B\nthree\n# C\n## D\nfour", maximum: 10)
        #expect(found.map { document.string($0.range) } == ["intro", "one\n\ntwo", "three", "four"])
        #expect(found.map(\.headings) == [[], ["A"], ["A", "B"], ["C", "D"]])
    }

    @Test(
        "No passage has more tokens than it may, nothing is lost, and what is repeated is little",
        arguments: [1, 3, 7, 20])
    func budget(maximum: Int) throws {
        let text = (0..<40).map {
            "Sentence \($0) has \($0 % 9 == 0 ? String(repeating: "very ", count: 9) : "")few words."
        }
        .joined(separator: " ")
        let (document, found) = try pieces(text, .plainText, maximum: maximum, overlap: maximum / 3)
        var end = 0
        for piece in found {
            let words = document.string(piece.range).split(separator: " ").count
            #expect(words <= maximum && piece.tokenCount <= maximum)
            #expect(document.text[min(end, piece.range.lowerBound)..<piece.range.lowerBound].allSatisfy { $0 == 0x20 })
            #expect(piece.range.upperBound > end)
            end = piece.range.upperBound
        }
        #expect(end == document.text.count)
    }

    @Test("Neighbours share whole sentences")
    func overlap() throws {
        let (document, found) = try pieces(
            "One two red. Four five six. Ten up down. Left right end.", .plainText, maximum: 6, overlap: 3)
        #expect(
            found.map { document.string($0.range) } == [
                "One two red. Four five six.", "Four five six. Ten up down.", "Ten up down. Left right end.",
            ])
    }

    @Test("A word without end is cut between characters")
    func endless() throws {
        let document = try ReadDocument(Array(String(repeating: "发ä", count: 3000).utf8), format: .plainText)
        let found = Splitter(maximumTokens: 50, overlap: 10).split(document) { $0.unicodeScalars.count }
        #expect(found.count == 120)
        #expect(
            found.allSatisfy { String(validating: document.text[$0.range], as: UTF8.self)?.unicodeScalars.count == 50 })
        // A counter that never stops does not keep the splitter from ending.
        #expect(!Splitter(maximumTokens: 1, overlap: 0).split(document) { _ in 1000 }.isEmpty)
    }

    @Test("Terms: words and their beginnings, codes, characters and pairs, Arabic without its article")
    func terms() {
        #expect(Terms.of("P0301: the Engines'") == ["p0301", "~p0301", "the", "~the", "engines", "~engi"])
        #expect(Terms.of("Straße ÖLFILTER") == ["strasse", "~stras", "olfilter", "~olfilt"])
        #expect(Terms.of("发动机 x") == ["发", "发动", "动", "动机", "机", "x", "~x"])
        #expect(Terms.of("السيارات وَالمُحَرِّك") == Terms.of("سيار المحرك"))
        #expect(Terms.of("").isEmpty && Terms.of(" \"'~* ").isEmpty)
        #expect(Terms.of(String(repeating: "a", count: 1000))[0].count == 64)
        for word in ["running", "charging", "batteries", "Ladekabeln"] {
            #expect(Terms.of(word).count == 2)
        }
        #expect(Terms.of("charging")[1] == Terms.of("charged")[1])
        #expect(Terms.of("battery")[1] == Terms.of("batteries")[1])
    }

    @Test("The rule of thumb for tokens errs upwards")
    func estimate() {
        #expect(TokenEstimate.count("") == 0)
        #expect(TokenEstimate.count("The engine is hot.") >= 5)
        #expect(TokenEstimate.count("发动机过热") == 5)
    }
}
