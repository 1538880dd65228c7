import EdgeRAG
import EdgeTestSupport
import Foundation
import Synchronization
import Testing

@Suite("The store of passages") struct StoreTests {
    private func temporary() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("edge-rag-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    private let manual = Document(
        name: "manual.md",
        text: """
            # Lights
            The engine light flashes when a cylinder misfires. Stop the car.

            # Tyres
            The pressure of the tyres is 2.4 bar. Check it once a month.

            ## Winter
            In winter give the tyres 0.2 bar more.
            """, format: .markdown, metadata: ["model": "T90"])

    @Test("What is stored comes back: text, headings, bytes, metadata")
    func roundTrip() async throws {
        let store = try await PassageStore(at: nil, embedder: WordEmbedder())
        let report = try await store.add([manual])
        #expect(report.indexedCount == 1 && report.passageCount == 3 && report.embeddedCount == 3)
        let passages = try await store.passages(of: "manual.md")
        #expect(passages.map(\.headings) == [["Lights"], ["Tyres"], ["Tyres", "Winter"]])
        let bytes = [UInt8](manual.contents)
        for passage in passages {
            #expect(Array(bytes[passage.location]) == Array(passage.text.utf8))
            #expect(passage.metadata == ["model": "T90"])
        }
        #expect(
            passages[1].location(of: 4..<12) == passages[1].location.lowerBound + 4..<passages[1].location.lowerBound
                + 12)
        let statistics = try await store.statistics()
        #expect(statistics.sourceCount == 1 && statistics.vectorCount == 3 && statistics.embeddingModel == "words")
        #expect(try await store.sources() == ["manual.md"])
    }

    @Test("Words, meaning, and both", arguments: Ranking.Mode.allCases)
    func search(mode: Ranking.Mode) async throws {
        let store = try await PassageStore(at: nil, embedder: WordEmbedder())
        try await store.add([manual])
        let result = try await store.search(
            "what pressure in winter for tyres?", limit: 2, ranking: .init(mode: mode))
        #expect(result.mode == mode)
        #expect(result.passages.first?.passage.headings == ["Tyres", "Winter"])
        #expect((result.passages.first?.lexicalRank == nil) == (mode == .dense))
        #expect((result.passages.first?.denseRank == nil) == (mode == .lexical))
        let none = try await store.search("\"'*", limit: 2, ranking: .init(mode: .lexical))
        #expect(none.passages.isEmpty)
    }

    @Test("Without a model a store finds words, and takes vectors when there is one")
    func lexicalFirst() async throws {
        let folder = try temporary()
        defer { try? FileManager.default.removeItem(at: folder) }
        let url = folder.appendingPathComponent("store")
        let store = try await PassageStore(at: url)
        try await store.add([manual])
        #expect(!store.usesVectors)
        #expect(try await store.passages(for: "misfires", limit: 3).map(\.passage.headings) == [["Lights"]])
        await #expect(throws: RetrievalError.self) { try await store.search("x", ranking: .init(mode: .dense)) }

        let embedder = WordEmbedder()
        let second = try await PassageStore(at: url, embedder: embedder)
        let report = try await second.add([manual])
        #expect(report.unchangedCount == 1 && report.embeddedCount == 3)
        #expect(try await second.statistics().vectorCount == 3)
        // From now on documents without vectors would be missed.
        let error = await #expect(throws: RetrievalError.self) { try await store.add([Document(name: "b", text: "x")]) }
        #expect(error?.code == .modelRequired)
        #expect(try await store.passages(for: "misfires", limit: 3).count == 1)
    }

    @Test("Vectors of another model are refused")
    func mismatch() async throws {
        let folder = try temporary()
        defer { try? FileManager.default.removeItem(at: folder) }
        let url = folder.appendingPathComponent("store")
        let early = try await PassageStore(at: url, embedder: WordEmbedder(identifier: "b"))
        try await PassageStore(at: url, embedder: WordEmbedder(identifier: "a")).add([manual])
        let error = await #expect(throws: RetrievalError.self) {
            try await PassageStore(at: url, embedder: WordEmbedder(identifier: "b"))
        }
        #expect(error?.code == .modelMismatch)
        // Also who opened it before there were any.
        let late = await #expect(throws: RetrievalError.self) { try await early.add([manual]) }
        #expect(late?.code == .modelMismatch)
    }

    @Test("Only what changed is indexed again, and only new texts are embedded")
    func incremental() async throws {
        let embedder = WordEmbedder()
        let store = try await PassageStore(at: nil, embedder: embedder)
        try await store.add([manual])
        #expect(try await store.add([manual]).unchangedCount == 1)
        #expect(embedder.count.withLock { $0 } == 3)
        var changed = manual
        changed.contents = Data(
            String(decoding: manual.contents, as: UTF8.self).replacing("Stop the car.", with: "Stop!").utf8)
        let report = try await store.add([changed])
        #expect(report.indexedCount == 1 && report.passageCount == 3 && report.embeddedCount == 1)
        #expect(try await store.passages(for: "car", limit: 5).first?.lexicalRank == nil)
        #expect(try await store.statistics().passageCount == 3)
        #expect(try await store.remove(source: "manual.md"))
        #expect(try await !store.remove(source: "manual.md"))
        #expect(try await store.passages(for: "tyres", limit: 5).isEmpty)
        #expect(try await store.statistics().vectorCount == 0)
    }

    @Test("A folder: unreadable files are reported, vanished ones taken out")
    func folder() async throws {
        let folder = try temporary()
        defer { try? FileManager.default.removeItem(at: folder) }
        let docs = folder.appendingPathComponent("docs/deep")
        try FileManager.default.createDirectory(at: docs, withIntermediateDirectories: true)
        try Data("Alpha one.".utf8).write(to: docs.appendingPathComponent("a.txt"))
        try Data("# B\nBeta two.".utf8).write(to: folder.appendingPathComponent("docs/b.md"))
        try Data([0xFF, 0x00]).write(to: folder.appendingPathComponent("docs/c.txt"))
        try Data("hidden".utf8).write(to: folder.appendingPathComponent("docs/.d.txt"))
        try Data("other".utf8).write(to: folder.appendingPathComponent("docs/e.bin"))
        let store = try await PassageStore(at: folder.appendingPathComponent("store"), embedder: WordEmbedder())
        let report = try await store.index(folder: folder.appendingPathComponent("docs"))
        #expect(report.indexedCount == 2 && report.failures.map(\.source) == ["docs/c.txt"])
        #expect(try await store.sources() == ["docs/b.md", "docs/deep/a.txt"])
        try FileManager.default.removeItem(at: docs)
        #expect(try await store.index(folder: folder.appendingPathComponent("docs")).removedCount == 1)
        #expect(try await store.sources() == ["docs/b.md"])
        let error = await #expect(throws: RetrievalError.self) {
            try await store.index(folder: folder.appendingPathComponent("nowhere"))
        }
        #expect(error?.code == .unreadable)
    }

    @Test("Filters are of words and of vectors alike", arguments: Ranking.Mode.allCases)
    func filters(mode: Ranking.Mode) async throws {
        let store = try await PassageStore(at: nil, embedder: WordEmbedder())
        try await store.add([
            manual, Document(name: "other.txt", text: "The tyres of the other car.", metadata: ["model": "it's \"x\""]),
        ])
        func found(_ filter: PassageFilter) async throws -> Set<String> {
            let result = try await store.search("tyres", filter: filter, ranking: .init(mode: mode))
            return Set(result.passages.map { ($0.passage.headings.last ?? $0.passage.source) })
        }
        #expect(try await found(.source("other.txt")) == ["other.txt"])
        #expect(try await found(.sourcePrefix("oth")) == ["other.txt"])
        #expect(try await found(.metadata(key: "model", value: "it's \"x\"")) == ["other.txt"])
        #expect(try await found(.heading(containing: "WINTER")) == ["Winter"])
        #expect(
            try await found(.all([.source("manual.md"), .not(.heading(containing: "Lights"))])) == ["Tyres", "Winter"])
        #expect(try await found(.any([])).isEmpty)
        #expect(try await found(.pages(1...3)).isEmpty)
        #expect(try await found(.not(.pages(1...3))).contains("other.txt"))
        var deep = PassageFilter.source("x")
        for _ in 0..<60 { deep = .not(deep) }
        let error = await #expect(throws: RetrievalError.self) { try await store.search("tyres", filter: deep) }
        #expect(error?.code == .invalidOptions)
    }

    @Test("Two stores on one file see each other's documents")
    func twoReaders() async throws {
        let folder = try temporary()
        defer { try? FileManager.default.removeItem(at: folder) }
        let url = folder.appendingPathComponent("store")
        let one = try await PassageStore(at: url, embedder: WordEmbedder())
        let two = try await PassageStore(at: url, embedder: WordEmbedder())
        try await one.add([manual])
        #expect(try await two.search("tyres", ranking: .init(mode: .dense)).passages.count == 3)
        try await two.add([Document(name: "x", text: "Something about tyres.")])
        #expect(try await one.search("tyres", ranking: .init(mode: .dense)).passages.count == 4)
        try await one.remove(source: "manual.md")
        #expect(try await two.search("tyres", ranking: .init(mode: .dense)).passages.count == 1)
    }

    @Test("Many write at once, and nothing is lost")
    func manyWriters() async throws {
        let folder = try temporary()
        defer { try? FileManager.default.removeItem(at: folder) }
        let url = folder.appendingPathComponent("store")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    let store = try await PassageStore(at: url, embedder: WordEmbedder())
                    for i in 0..<10 {
                        try await store.add([Document(name: "\(writer)-\(i)", text: "Text \(i) of writer \(writer).")])
                        _ = try await store.passages(for: "writer", limit: 3)
                    }
                }
            }
            try await group.waitForAll()
        }
        let store = try await PassageStore(at: url, embedder: WordEmbedder())
        #expect(try await store.statistics().vectorCount == 40)
    }

    @Test("Files that are no store are refused and left as they are")
    func foreign() async throws {
        let folder = try temporary()
        defer { try? FileManager.default.removeItem(at: folder) }
        let text = folder.appendingPathComponent("text")
        try Data(String(repeating: "no database ", count: 200).utf8).write(to: text)
        let error = await #expect(throws: RetrievalError.self) { try await PassageStore(at: text) }
        #expect(error?.code == .notAStore)
        #expect(try Data(contentsOf: text).count == 2400)
        let missing = await #expect(throws: RetrievalError.self) {
            try await PassageStore(at: folder.appendingPathComponent("no/such/store"))
        }
        #expect(missing?.code == .unreadable)
        let options = await #expect(throws: RetrievalError.self) {
            try await PassageStore(at: nil, options: .init(ranking: .init(depth: 0)))
        }
        #expect(options?.code == .invalidOptions)
    }

    @Test("A damaged store gives errors and no wrong passages")
    func damaged() async throws {
        let folder = try temporary()
        defer { try? FileManager.default.removeItem(at: folder) }
        let url = folder.appendingPathComponent("store")
        do {
            let store = try await PassageStore(at: url)
            try await store.add((0..<50).map { Document(name: "\($0)", text: "Document \($0) about tyres and oil.") })
            _ = try await store.statistics()
        }
        let whole = try Data(contentsOf: url)
        for seed in 0..<20 {
            let copy = folder.appendingPathComponent("copy\(seed)")
            var bytes = whole
            for i in 0..<40 { bytes[(seed * 7919 + i * 104_729) % bytes.count] ^= UInt8(1 + (seed + i) % 255) }
            try bytes.write(to: copy)
            do {
                let store = try await PassageStore(at: copy)
                _ = try await store.search("tyres document 7")
            } catch is RetrievalError {
            }
        }
    }

    @Test("A reranker has the last word")
    func reranking() async throws {
        let reranker = try await GGUFRerankModel(contentsOf: fixtures.appendingPathComponent("rerank-tiny.gguf"))
        let texts = (0..<6).map { "Number \($0): the tyres of the car, \(String(repeating: "and more ", count: $0))" }
        let documents = texts.enumerated().map { Document(name: "\($0)", text: $1) }
        let store = try await PassageStore(at: nil, reranker: reranker)
        try await store.add(documents)
        let result = try await store.search("car tyres", limit: 3)
        let scores = try await reranker.scores(of: texts, for: "car tyres")
        let expected = scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }.prefix(3)
        #expect(result.passages.map(\.passage.source) == expected.map { "\($0)" })
        #expect(result.passages.map(\.score) == expected.map { scores[$0] })
        #expect(result.timings.reranking > 0)
    }

    @Test("Passages that say the same come later where diversity is asked for")
    func diversity() async throws {
        let store = try await PassageStore(at: nil, embedder: WordEmbedder())
        try await store.add([
            Document(name: "a", text: "The tyres need air."), Document(name: "b", text: "The tyres need air!"),
            Document(name: "c", text: "Tyres of winter wear less."),
        ])
        func order(_ diversity: Double) async throws -> [String] {
            try await store.search("tyres need air", ranking: .init(diversity: diversity)).passages.map(
                \.passage.source)
        }
        #expect(try await order(0) == ["a", "b", "c"])
        #expect(try await order(0.8) == ["a", "c", "b"])
    }

    @Test("A passage of HTML leads back to the source, as a whole")
    func html() async throws {
        let source = "<html><body><h1>Tyres</h1><p>They need <b>2.4&nbsp;bar</b>.</p></body></html>"
        let store = try await PassageStore(at: nil)
        try await store.add([Document(name: "a.html", text: source, format: .html)])
        let passage = try #require(try await store.passages(for: "bar", limit: 1).first?.passage)
        #expect(passage.text == "They need 2.4 bar." && passage.headings == ["Tyres"])
        let bytes = Array(source.utf8)
        #expect(String(decoding: bytes[passage.location], as: UTF8.self) == "They need <b>2.4&nbsp;bar</b>.")
        #expect(passage.location(of: 0..<4) == passage.location)
    }

    @Test("An exported store is one file, and is read where it may not be written to")
    func export() async throws {
        let folder = try temporary()
        let pack = folder.appendingPathComponent("pack")
        defer {
            try? FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.path)
            try? FileManager.default.removeItem(at: folder)
        }
        let store = try await PassageStore(
            at: folder.appendingPathComponent("store"), embedder: WordEmbedder())
        try await store.add([manual])
        try await store.export(to: pack)
        let error = await #expect(throws: RetrievalError.self) { try await store.export(to: pack) }
        #expect(error?.code == .invalidOptions)
        // A file that holds all: the log of the store is not beside it.
        let alone = folder.appendingPathComponent("alone")
        try FileManager.default.createDirectory(at: alone, withIntermediateDirectories: true)
        let moved = alone.appendingPathComponent("pack")
        try FileManager.default.moveItem(at: pack, to: moved)
        try FileManager.default.setAttributes([.posixPermissions: 0o444], ofItemAtPath: moved.path)
        let before = try Data(contentsOf: moved)
        let opened = try await PassageStore(at: moved, embedder: WordEmbedder(), options: .init(isReadOnly: true))
        for mode in Ranking.Mode.allCases {
            let result = try await opened.search("pressure in winter", limit: 1, ranking: .init(mode: mode))
            #expect(result.passages.first?.passage.headings == ["Tyres", "Winter"])
        }
        let refused = await #expect(throws: RetrievalError.self) {
            try await opened.add([Document(name: "x", text: "new")])
        }
        #expect(refused?.code == .unreadable)
        #expect(try FileManager.default.contentsOfDirectory(atPath: alone.path) == ["pack"])
        #expect(try Data(contentsOf: moved) == before)
        let missing = await #expect(throws: RetrievalError.self) {
            try await PassageStore(at: folder.appendingPathComponent("none"), options: .init(isReadOnly: true))
        }
        #expect(missing?.code == .unreadable)
    }

    @Test("A query of many words")
    func longQuery() async throws {
        let store = try await PassageStore(at: nil)
        try await store.add([manual])
        let words = (0..<5000).map { "word\($0)" }.joined(separator: " ") + " tyres winter"
        #expect(try await store.passages(for: words, limit: 1).first?.passage.headings == ["Tyres", "Winter"])
    }
}
