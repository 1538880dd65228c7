internal import EdgeDocuments
internal import EdgePlatform
internal import EdgeSearch
public import Foundation
internal import GRDB

/// How far indexing has come.
public struct IndexingProgress: Sendable, Hashable {
    /// Documents that are done, unchanged and unreadable ones included, and all.
    public var documentCount: Int
    /// All documents.
    public var totalDocumentCount: Int
    /// Passages that were given vectors or stored so far.
    public var passageCount: Int
    /// The document that is worked on.
    public var source: String
}

/// What indexing did.
public struct IndexingReport: Sendable, Hashable, Codable {
    /// Documents that are new or were changed.
    public var indexedCount = 0
    /// Documents that were there already, the same to the byte and cut the same way.
    public var unchangedCount = 0
    /// Documents that are not in the folder any more and were taken out of the store.
    public var removedCount = 0
    /// Passages of the documents that were indexed.
    public var passageCount = 0
    /// Vectors that were computed; of passages whose text had not changed the old ones were kept.
    public var embeddedCount = 0
    /// Seconds that the embedding model took.
    public var embeddingSeconds = 0.0
    /// Seconds in all.
    public var seconds = 0.0
    /// Files that could not be read, and why.
    public var failures: [Failure] = []

    /// A file that could not be read.
    public struct Failure: Sendable, Hashable, Codable {
        /// The document.
        public var source: String
        /// What is wrong, in one line.
        public var reason: String
    }

    /// Nothing done.
    public init() {}
}

extension PassageStore {
    /// Indexes documents, each of which replaces the one of its name.
    ///
    /// A document that is there already, the same and cut the same way, costs nothing. When this throws, or the process is killed, what
    /// was stored stays, and indexing again goes on from there.
    /// - Throws: `RetrievalError` for a document that cannot be read; what the embedding model throws; `CancellationError`.
    @discardableResult
    public nonisolated(nonsending) func add(
        _ documents: [Document], progress: (@Sendable (IndexingProgress) -> Void)? = nil
    ) async throws -> IndexingReport {
        var indexer = Indexer(store: self, totalCount: documents.count, progress: progress)
        for document in documents { try await indexer.add(document, collection: nil) }
        return try await indexer.finish()
    }

    /// Indexes the files of a folder and the folders in it: text, Markdown, reStructuredText, HTML, PDF. Hidden ones are passed over.
    ///
    /// Documents are named after the folder and their paths in it. Those of the same folder name that are not there any more are taken
    /// out. Files that cannot be read are in the report, and whatever was stored of them before stays.
    ///
    /// - Parameter removesVanished: whether documents that are not there any more are taken out.
    /// - Throws: as `add(_:progress:)`, but not for single files; `unreadable` where the folder cannot be read.
    @discardableResult
    public nonisolated(nonsending) func index(
        folder: URL, removesVanished: Bool = true, metadata: [String: String] = [:],
        progress: (@Sendable (IndexingProgress) -> Void)? = nil
    ) async throws -> IndexingReport {
        let root = folder.resolvingSymlinksInPath().standardizedFileURL
        let collection = root.lastPathComponent
        let files = try Self.files(below: root)
        var indexer = Indexer(store: self, totalCount: files.count, progress: progress)
        var names: Set<String> = []
        for file in files {
            let name = collection + "/" + file.path
            names.insert(name)
            do {
                let document = try Document(contentsOf: file.url, name: name, metadata: metadata)
                try await indexer.add(document, collection: collection)
            } catch let error as RetrievalError where error.isOfOneDocument {
                indexer.fail(name, error)
            }
        }
        var report = try await indexer.finish()
        if removesVanished {
            let known = try await read {
                try String.fetchAll($0, sql: "SELECT name FROM sources WHERE collection = ?", arguments: [collection])
            }
            for name in known where !names.contains(name) {
                if try await remove(source: name) { report.removedCount += 1 }
            }
        }
        return report
    }

    /// Takes a document out.
    ///
    /// - Returns: whether it was there.
    @discardableResult
    public nonisolated(nonsending) func remove(source: String) async throws -> Bool {
        try await write { db in
            guard let id = try Int64.fetchOne(db, sql: "SELECT id FROM sources WHERE name = ?", arguments: [source])
            else {
                return false
            }
            try Self.remove(source: id, db)
            try Self.advance(db)
            return true
        }
    }

    static func remove(source: Int64, _ db: Database) throws {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT passages.id, name, headings, text FROM passages JOIN sources ON sources.id = passages.source
                WHERE passages.source = ?
                """, arguments: [source])
        for row in rows {
            try Schema.removeTerms(
                of: row["text"], under: try Schema.decode(row["headings"]), in: row["name"], passage: row["id"], db)
        }
        try db.execute(sql: "DELETE FROM sources WHERE id = ?", arguments: [source])
    }

    /// Tells all who hold vectors in memory that there are others now.
    static func advance(_ db: Database) throws {
        try db.execute(sql: "UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'generation'")
    }

    /// Gives vectors to the passages that have none: those stored before there was an embedding model.
    func passagesWithoutVectors(limit: Int) async throws -> [(id: Int64, text: String)] {
        let rows = try await read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT id, headings, text FROM passages
                    WHERE NOT EXISTS (SELECT 1 FROM vectors WHERE passage = passages.id) ORDER BY id LIMIT ?
                    """, arguments: [limit]
            ).map { ($0["id"] as Int64, $0["headings"] as String, $0["text"] as String) }
        }
        return try rows.map { ($0.0, Self.embeddedText($0.2, under: try Schema.decode($0.1))) }
    }

    /// What stands for a passage before the embedding model: its headings say what it is about.
    static func embeddedText(_ text: String, under headings: [String]) -> String {
        let text = squeezed(text)
        return headings.isEmpty ? text : headings.joined(separator: " > ") + "\n" + text
    }

    /// A text with its rows of marks, such as the borders of tables, as one mark each: a vocabulary has a token for every mark.
    static func squeezed(_ text: String) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            let isMark =
                (0x21...0x2F).contains(byte) || (0x3A...0x40).contains(byte) || (0x5B...0x60).contains(byte)
                || (0x7B...0x7E).contains(byte)
            if isMark, bytes.last == byte { continue }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private struct File {
        var path: String
        var url: URL
    }

    /// The files below a folder that are of a kind that is read, by path.
    private static func files(below root: URL) throws -> [File] {
        guard (try? root.resourceValues(forKeys: [.isDirectoryKey]))?.isDirectory == true else {
            throw RetrievalError(code: .unreadable, message: "\(root.path): there is no such folder")
        }
        guard
            let found = FileManager.default.enumerator(
                at: root, includingPropertiesForKeys: [.isRegularFileKey], options: [.skipsHiddenFiles])
        else { throw RetrievalError(code: .unreadable, message: "\(root.path): the folder cannot be read") }
        var files: [File] = []
        let depth = root.pathComponents.count
        for case let url as URL in found where Document.Format(fileName: url.lastPathComponent) != nil {
            guard try url.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true else { continue }
            files.append(
                .init(path: url.standardizedFileURL.pathComponents.dropFirst(depth).joined(separator: "/"), url: url))
        }
        return files.sorted { $0.path < $1.path }
    }
}

extension RetrievalError {
    /// Whether other documents can still be indexed.
    fileprivate var isOfOneDocument: Bool {
        [.unreadable, .tooLarge, .notText, .unsupportedFormat, .toolFailed].contains(code)
    }
}

/// Indexes one document after the other; small ones are given their vectors together.
private struct Indexer {
    let store: PassageStore
    let totalCount: Int
    let progress: (@Sendable (IndexingProgress) -> Void)?
    private var report = IndexingReport()
    private var doneCount = 0
    private var waiting: [Prepared] = []
    private var waitingCount = 0
    private var hasBegun = false
    private let start = ContinuousClock.now

    /// Passages that are worth a transaction.
    private static let groupLength = 64

    /// A document that was cut and is not stored yet.
    private struct Prepared: Sendable {
        var document: Document
        var collection: String?
        var hash: String
        var title: String?
        var passages: [Part]
        /// By the text that they are of, the vectors that the old version had.
        var known: [String: VectorIndex.Encoded]
    }

    private struct Part: Sendable {
        var headings: [String]
        var text: String
        var location: Range<Int>
        var page: Int?
        var isVerbatim: Bool
        var vector: VectorIndex.Encoded?

        var embeddedText: String { PassageStore.embeddedText(text, under: headings) }
    }

    init(store: PassageStore, totalCount: Int, progress: (@Sendable (IndexingProgress) -> Void)?) {
        self.store = store
        self.totalCount = totalCount
        self.progress = progress
    }

    mutating func fail(_ source: String, _ error: RetrievalError) {
        report.failures.append(.init(source: source, reason: error.description))
        doneCount += 1
        tell(source)
    }

    private func tell(_ source: String) {
        progress?(
            .init(
                documentCount: doneCount, totalDocumentCount: totalCount, passageCount: report.passageCount,
                source: source))
    }

    mutating func add(_ document: Document, collection: String?) async throws {
        try Task.checkCancellation()
        try await begin()
        let hash = Self.hash(document, store.options.splitter)
        let name = document.name
        let old = try await store.read { db in
            try String.fetchOne(db, sql: "SELECT hash FROM sources WHERE name = ?", arguments: [name])
        }
        if old == hash {
            report.unchangedCount += 1
            doneCount += 1
            return tell(name)
        }
        let read = try document.read()
        let pieces = splitter.pieces(
            of: read, tokenCount: tokenCounter ?? { TokenEstimate.count(PassageStore.squeezed($0)) })
        var title: String?
        for block in read.blocks {
            if case .heading(_, let text) = block.kind {
                title = text
                break
            }
        }
        var prepared = Prepared(
            document: document, collection: collection, hash: hash, title: title,
            passages: pieces.map {
                Part(
                    headings: $0.headings, text: read.string($0.range), location: read.sourceRange(of: $0.range),
                    page: read.page(at: $0.range.lowerBound), isVerbatim: read.origins.isEmpty)
            }, known: [:])
        if old != nil, store.embedder != nil { prepared.known = try await knownVectors(of: name) }
        waiting.append(prepared)
        waitingCount += pieces.count
        if waitingCount >= Self.groupLength { try await flush() }
    }

    mutating func finish() async throws -> IndexingReport {
        try await begin()
        try await flush()
        report.seconds = start.duration(to: .now) / .seconds(1)
        return report
    }

    /// Before the first document: may this store take documents from here, and are there passages without vectors?
    private mutating func begin() async throws {
        guard !hasBegun else { return }
        hasBegun = true
        let store = store
        try await store.read { db in
            try PassageStore.checkModel(store.embedder, db, store: store.name)
            if store.embedder == nil, let model = try Schema.meta("embedding", in: db) {
                throw RetrievalError(
                    code: .modelRequired,
                    message:
                        "\(store.name): the store has vectors of \(model); open it with that model to add documents")
            }
        }
        guard store.embedder != nil else { return }
        while true {
            let bare = try await store.passagesWithoutVectors(limit: Self.groupLength)
            if bare.isEmpty { break }
            let vectors = try await embed(bare.map(\.text))
            let rows = zip(bare, vectors).map { ($0.id, $1) }
            try await store.write { db in
                try Self.claim(store, db)
                for (id, vector) in rows {
                    // Another process may have taken the passage out, or been faster.
                    try db.execute(
                        sql: """
                            INSERT OR IGNORE INTO vectors (passage, codes, full)
                            SELECT id, ?, ? FROM passages WHERE id = ?
                            """, arguments: [Data(vector.codes), Data(vector.values), id])
                }
                try PassageStore.advance(db)
            }
            tell("")
        }
    }

    /// As many tokens as the store's options say, and no more than the model takes, with room for headings.
    private var splitter: TextSplitter {
        var splitter = store.options.splitter
        if let embedder = store.embedder {
            splitter.maximumTokens = max(16, min(splitter.maximumTokens, embedder.maximumInputTokens - 16))
        }
        return splitter
    }

    private var tokenCounter: ((String) -> Int)? {
        (store.embedder as? GGUFEmbeddingModel).map { model in { model.tokenCount(for: PassageStore.squeezed($0)) } }
    }

    /// What a document's passages depend on.
    private static func hash(_ document: Document, _ splitter: TextSplitter) -> String {
        var bytes = [UInt8](document.contents)
        let settings =
            "\(document.format.rawValue) \(splitter.maximumTokens) \(splitter.overlap) "
            + document.metadata.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "\u{1F}")
        let count = bytes.count
        bytes += Array(settings.utf8)
        // Two sums of 64 bits: equal by chance for no two versions of a document that anyone will ever have.
        return "\(Checksum.of(bytes))-\(Checksum.of(bytes, seed: 0x4564_6752))-\(count)"
    }

    private func knownVectors(of name: String) async throws -> [String: VectorIndex.Encoded] {
        let rows = try await store.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT headings, text, codes, full FROM passages JOIN vectors ON vectors.passage = passages.id
                    JOIN sources ON sources.id = passages.source WHERE sources.name = ?
                    """, arguments: [name]
            ).map { ($0["headings"] as String, $0["text"] as String, $0["codes"] as Data, $0["full"] as Data) }
        }
        var known: [String: VectorIndex.Encoded] = [:]
        for row in rows {
            known[PassageStore.embeddedText(row.1, under: try Schema.decode(row.0))] = .init(
                codes: [UInt8](row.2), values: [UInt8](row.3))
        }
        return known
    }

    /// Gives what waits its vectors, and stores it.
    private mutating func flush() async throws {
        guard !waiting.isEmpty else { return }
        var group = waiting
        waiting.removeAll()
        waitingCount = 0
        if store.embedder != nil {
            var missing: [(document: Int, passage: Int, text: String)] = []
            for document in group.indices {
                for passage in group[document].passages.indices {
                    let text = group[document].passages[passage].embeddedText
                    if let known = group[document].known[text] {
                        group[document].passages[passage].vector = known
                    } else {
                        missing.append((document, passage, text))
                    }
                }
            }
            var first = 0
            while first < missing.count {
                try Task.checkCancellation()
                let part = missing[first..<min(missing.count, first + Self.groupLength)]
                first += part.count
                for (place, vector) in zip(part, try await embed(part.map(\.text))) {
                    group[place.document].passages[place.passage].vector = vector
                }
            }
        }
        let store = store
        let rows = group
        let stored = try await store.write { db in
            try Self.claim(store, db)
            var count = 0
            for prepared in rows where try Self.insert(prepared, db) { count += 1 }
            try PassageStore.advance(db)
            return count
        }
        // What another process has stored meanwhile counts as unchanged.
        report.indexedCount += stored
        report.unchangedCount += rows.count - stored
        for prepared in rows {
            report.passageCount += prepared.passages.count
            doneCount += 1
        }
        tell(rows.last?.document.name ?? "")
    }

    private mutating func embed(_ texts: [String]) async throws -> [VectorIndex.Encoded] {
        guard let embedder = store.embedder else { return [] }
        let begin = ContinuousClock.now
        let vectors = try await embedder.embed(fitting(texts, embedder), as: .passage)
        report.embeddingSeconds += begin.duration(to: .now) / .seconds(1)
        report.embeddedCount += vectors.count
        guard vectors.count == texts.count,
            vectors.allSatisfy({ $0.values.count == embedder.dimensionCount && $0.values.allSatisfy(\.isFinite) })
        else {
            throw RetrievalError(
                code: .unusableVectors,
                message:
                    "\(embedder.identifier) gave \(vectors.count) vectors for \(texts.count) texts, or some with no numbers in them"
            )
        }
        return vectors.map { .init(Embedding(normalizing: $0.values).values) }
    }

    /// Texts without their headings where those would make them too long.
    private func fitting(_ texts: [String], _ embedder: any EmbeddingModel) -> [String] {
        guard let tokenCounter else { return texts }
        return texts.map { text in
            guard text.utf8.count > embedder.maximumInputTokens, tokenCounter(text) > embedder.maximumInputTokens else {
                return text
            }
            let body =
                text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false).last.map(String.init)
                ?? text
            return tokenCounter(body) <= embedder.maximumInputTokens ? body : text
        }
    }

    /// Makes the store one of this model's vectors, unless it is another's.
    private static func claim(_ store: PassageStore, _ db: Database) throws {
        try PassageStore.checkModel(store.embedder, db, store: store.name)
        if let embedder = store.embedder {
            try Schema.setMeta("embedding", embedder.identifier, in: db)
            try Schema.setMeta("dimensions", "\(embedder.dimensionCount)", in: db)
        } else if let model = try Schema.meta("embedding", in: db) {
            throw RetrievalError(
                code: .modelRequired,
                message: "\(store.name): another process has added vectors of \(model); open the store with that model")
        }
    }

    /// Puts a document in the place of the one of its name.
    ///
    /// - Returns: false where it is there already.
    private static func insert(_ prepared: Prepared, _ db: Database) throws -> Bool {
        let document = prepared.document
        if let row = try Row.fetchOne(
            db, sql: "SELECT id, hash FROM sources WHERE name = ?", arguments: [document.name])
        {
            if row["hash"] == prepared.hash { return false }
            try PassageStore.remove(source: row["id"], db)
        }
        try db.execute(
            sql: """
                INSERT INTO sources (name, collection, title, format, byteCount, hash, metadata) VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                document.name, prepared.collection, prepared.title, document.format.rawValue, document.contents.count,
                prepared.hash, try Schema.encode(document.metadata),
            ])
        let source = db.lastInsertedRowID
        let passage = try db.cachedStatement(
            sql: """
                INSERT INTO passages (source, lower, upper, isVerbatim, page, headings, text) VALUES (?, ?, ?, ?, ?, ?, ?)
                """)
        let vector = try db.cachedStatement(sql: "INSERT INTO vectors (passage, codes, full) VALUES (?, ?, ?)")
        for part in prepared.passages {
            try passage.execute(arguments: [
                source, part.location.lowerBound, part.location.upperBound, part.isVerbatim, part.page,
                try Schema.encode(part.headings), part.text,
            ])
            let id = db.lastInsertedRowID
            try Schema.insertTerms(of: part.text, under: part.headings, in: document.name, passage: id, db)
            if let encoded = part.vector {
                try vector.execute(arguments: [id, Data(encoded.codes), Data(encoded.values)])
            }
        }
        return true
    }
}
