internal import EdgeDocuments
internal import EdgePlatform
internal import EdgeSearch
public import Foundation
internal import GRDB

/// Passages of documents in one file, found word for word and by meaning.
///
/// ```swift
/// let embedder = try await GGUFEmbeddingModel(contentsOf: URL(filePath: "all-MiniLM-L6-v2-q8_0.gguf"))
/// let store = try await PassageStore(at: URL(filePath: "manual.edge"), embedder: embedder)
/// try await store.index(folder: URL(filePath: "manual"))
/// for found in try await store.passages(for: "The engine light flashes", limit: 3) { print(found.passage.title) }
/// ```
///
/// The file is a database of SQLite. Any number of processes may read and write it at once; each document is replaced as a whole, so that
/// who searches sees the old one or the new one; a process may be killed at any moment and loses at most what it had not stored yet.
/// A file that may not be written to is opened for reading only; `export(to:)` makes one for a read-only medium, and
/// `pack(to:for:)` a knowledge pack, which is opened the same way and used where it is mapped.
/// Without an embedding model a store finds word for word only (`usesVectors` is false).
public final class PassageStore: Retriever {
    /// How a store works.
    public struct Options: Sendable, Hashable {
        /// How documents are cut into passages. Documents that were cut otherwise are cut anew when they are indexed again.
        public var splitter: TextSplitter
        /// How passages are ranked.
        public var ranking: Ranking
        /// Bytes of memory that vectors may take; a search that needs more throws `tooLarge`. 100,000 vectors of 384 coordinates take 195 MB.
        public var memoryLimit: Int
        /// Threads that compare vectors; nil for the physical cores this process may use.
        public var threadCount: Int?
        /// Seconds to wait for other processes.
        public var patience: Double
        /// Whether the file is opened for reading only; it is where it may not be written to.
        public var isReadOnly: Bool

        /// Options; the defaults need no thought.
        public init(
            splitter: TextSplitter = .init(), ranking: Ranking = .init(), memoryLimit: Int = 2 << 30,
            threadCount: Int? = nil,
            patience: Double = 30, isReadOnly: Bool = false
        ) {
            self.splitter = splitter
            self.ranking = ranking
            self.memoryLimit = memoryLimit
            self.threadCount = threadCount
            self.patience = patience
            self.isReadOnly = isReadOnly
        }
    }

    /// The model that gives passages and queries their vectors.
    public let embedder: (any EmbeddingModel)?
    /// What brings the best of what was found in a better order.
    public let reranker: GGUFRerankModel?
    /// How the store works.
    public let options: Options
    /// The file, or words for a store in memory.
    let name: String
    let database: any DatabaseWriter
    let dense: DenseIndex?
    /// The knowledge pack that the store is of; nil for others.
    let pack: PackFile?

    /// Opens a store, or makes it.
    ///
    /// - Parameters:
    ///   - url: the file; nil for a store in memory.
    ///   - embedder: gives passages and queries their vectors; nil to search word for word only.
    ///   - reranker: brings the best of what was found in a better order; costs a pass of that model for each of them.
    /// - Throws: `RetrievalError`: `modelMismatch` where the store's vectors are of another model, `notAStore`, `newerStore`,
    ///   `damagedStore`, `busy`, `invalidOptions`.
    public convenience init(
        at url: URL?, embedder: (any EmbeddingModel)? = nil, reranker: GGUFRerankModel? = nil,
        options: Options = .init()
    ) async throws {
        try self.init(path: url?.path, embedder: embedder, reranker: reranker, options: options)
    }

    private init(
        path: String?, embedder: (any EmbeddingModel)?, reranker: GGUFRerankModel?, options: Options
    ) throws {
        guard options.splitter.maximumTokens >= 16, options.splitter.maximumTokens <= 1 << 16,
            options.splitter.overlap >= 0,
            options.memoryLimit >= 0, (1...256).contains(options.threadCount ?? 1),
            (0...3600).contains(options.patience)
        else {
            throw RetrievalError(
                code: .invalidOptions,
                message:
                    "give passages of 16 to 65536 tokens, a limit of memory, 1 to 256 threads, and at most an hour to wait"
            )
        }
        try options.ranking.check()
        self.embedder = embedder
        self.reranker = reranker
        self.options = options
        let name = path ?? "the store in memory"
        self.name = name
        var configuration = Configuration()
        configuration.busyMode = .timeout(options.patience)
        configuration.label = "EdgeRAG"
        do {
            let pack = try path.flatMap { try PackFile(opening: $0) }
            self.pack = pack
            let isReadOnly = pack != nil || path.map { options.isReadOnly || Self.isReadOnly($0) } ?? false
            if let pack {
                try pack.verifyStore()
                // All of it is used where it is mapped.
                let byteCount = pack.store.bytes.count
                configuration.prepareDatabase { try $0.execute(sql: "PRAGMA mmap_size = \(byteCount)") }
            }
            let database: any DatabaseWriter =
                if let path, isReadOnly {
                    try Self.openReadOnly(path, configuration)
                } else if let path {
                    try Self.open(path, configuration, patience: options.patience)
                } else {
                    try DatabaseQueue(configuration: configuration)
                }
            self.database = database
            if isReadOnly {
                try database.read { db in
                    try Schema.check(db, store: name, isPacked: pack != nil)
                    try Self.checkModel(embedder, db, store: name)
                }
            } else {
                try database.write { db in
                    try Schema.prepare(db, store: name)
                    try Self.checkModel(embedder, db, store: name)
                }
            }
            dense = try embedder.map {
                try DenseIndex(
                    database: database, store: name, dimensionCount: $0.dimensionCount,
                    memoryLimit: options.memoryLimit, threadCount: options.threadCount,
                    parts: try pack?.vectors(dimensionCount: $0.dimensionCount))
            }
        } catch {
            throw RetrievalError.translate(error, store: name)
        }
    }

    /// Switching a new file to a write-ahead log does not wait for others that do the same, so it is tried again.
    private static func open(_ path: String, _ configuration: Configuration, patience: Double) throws -> DatabasePool {
        let end = Date().addingTimeInterval(min(patience, 60))
        while true {
            do {
                return try DatabasePool(path: path, configuration: configuration)
            } catch let error as DatabaseError
                where [.SQLITE_BUSY, .SQLITE_LOCKED].contains(error.resultCode) && Date() < end
            {
                Thread.sleep(forTimeInterval: 0.02)
            }
        }
    }

    /// Whether a file is there and may not be written to, as on a read-only medium.
    private static func isReadOnly(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: path) && !FileManager.default.isWritableFile(atPath: path)
    }

    private static func openReadOnly(_ path: String, _ configuration: Configuration) throws -> DatabaseQueue {
        var configuration = configuration
        configuration.readonly = true
        return try DatabaseQueue(path: path, configuration: configuration)
    }

    /// Writes all that the store holds now to one new file, without gaps and with nothing beside it: what a read-only medium can hold.
    ///
    /// The file is a store too. Where it may not be written to, it is opened for reading only. It is put in place when it is whole.
    /// - Throws: `RetrievalError`: `invalidOptions` where there is a file of that name, `storageFailed`.
    public nonisolated(nonsending) func export(to url: URL) async throws {
        guard !FileManager.default.fileExists(atPath: url.path) else {
            throw RetrievalError(code: .invalidOptions, message: "\(url.path): there is a file of that name")
        }
        let part = url.path + ".\(ProcessInfo.processInfo.processIdentifier).part"
        defer { try? FileManager.default.removeItem(atPath: part) }
        do {
            try? FileManager.default.removeItem(atPath: part)
            try await database.vacuum(into: part)
            try FileManager.default.moveItem(atPath: part, toPath: url.path)
        } catch let error as DatabaseError {
            throw RetrievalError(error, store: url.path)
        } catch {
            throw RetrievalError(
                code: .storageFailed, message: "\(url.path): cannot be written: \(error.localizedDescription)")
        }
    }

    /// Refuses a model whose vectors could not be compared with those in the store.
    static func checkModel(_ embedder: (any EmbeddingModel)?, _ db: Database, store: String) throws {
        guard let embedder, let stored = try Schema.meta("embedding", in: db) else { return }
        guard stored == embedder.identifier, try Schema.meta("dimensions", in: db) == "\(embedder.dimensionCount)"
        else {
            throw RetrievalError(
                code: .modelMismatch,
                message:
                    "\(store): the vectors are of \(stored), and not of \(embedder.identifier); use that model, or another file"
            )
        }
    }

    /// Runs a transaction, and translates what it throws.
    func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            return try await database.write(body)
        } catch {
            throw RetrievalError.translate(error, store: name)
        }
    }

    /// Reads one state of the store, and translates what it throws.
    func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            return try await database.read(body)
        } catch {
            throw RetrievalError.translate(error, store: name)
        }
    }

    // MARK: What is in it

    /// What a store holds.
    public struct Statistics: Sendable, Hashable, Codable {
        /// Documents.
        public var sourceCount: Int
        /// Passages.
        public var passageCount: Int
        /// Passages that have a vector.
        public var vectorCount: Int
        /// The model that the vectors are of.
        public var embeddingModel: String?
    }

    /// What the store holds now.
    public nonisolated(nonsending) func statistics() async throws -> Statistics {
        let packed = pack?.vectorCount
        return try await read { db in
            func count(_ table: String) throws -> Int {
                try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM \(table)") ?? 0
            }
            return Statistics(
                sourceCount: try count("sources"), passageCount: try count("passages"),
                vectorCount: try packed ?? count("vectors"),
                embeddingModel: try Schema.meta("embedding", in: db))
        }
    }

    /// The names of all documents, in order.
    public nonisolated(nonsending) func sources() async throws -> [String] {
        try await read { try String.fetchAll($0, sql: "SELECT name FROM sources ORDER BY name") }
    }

    /// Whether texts are found by meaning too.
    public var usesVectors: Bool { embedder != nil }

    /// The passages of those numbers, in their order; such as are not there any more are left out.
    public nonisolated(nonsending) func passages(_ ids: [Passage.ID]) async throws -> [Passage] {
        let found = try await read { try Self.fetch(ids, $0) }
        return ids.compactMap { found[$0] }
    }

    /// The passages of a document, in order.
    public nonisolated(nonsending) func passages(of source: String) async throws -> [Passage] {
        let ids = try await read { db in
            try Int64.fetchAll(
                db,
                sql: """
                    SELECT passages.id FROM passages JOIN sources ON sources.id = passages.source
                    WHERE sources.name = ? ORDER BY passages.id
                    """, arguments: [source])
        }
        return try await passages(ids)
    }

    static func fetch(_ ids: [Int64], _ db: Database) throws -> [Int64: Passage] {
        var passages: [Int64: Passage] = [:]
        var start = 0
        while start < ids.count {
            let part = ids[start..<min(ids.count, start + 500)]
            start += part.count
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT passages.id, sources.name, lower, upper, isVerbatim, page, headings, text, metadata
                    FROM passages JOIN sources ON sources.id = passages.source
                    WHERE passages.id IN (\(part.map(String.init).joined(separator: ",")))
                    """)
            while let row = try rows.next() {
                let lower: Int = row["lower"]
                let upper: Int = row["upper"]
                guard lower >= 0, lower <= upper else {
                    throw RetrievalError(code: .damagedStore, message: "a passage lies at \(lower) to \(upper)")
                }
                let passage = Passage(
                    id: row["id"], source: row["name"], headings: try Schema.decode(row["headings"]), text: row["text"],
                    location: lower..<upper, page: row["page"],
                    metadata: try Schema.decoded([String: String].self, row["metadata"]), isVerbatim: row["isVerbatim"])
                passages[passage.id] = passage
            }
        }
        return passages
    }
}
