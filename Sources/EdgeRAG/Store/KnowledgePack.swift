internal import EdgePlatform
internal import EdgeSearch
public import Foundation
internal import GRDB

/// What a knowledge pack holds: documents, ready to be asked, in one file.
///
/// `PassageStore.pack(to:for:)` writes one: passages, their vectors, the index of words, and keys and values of beginnings and passages that
/// one model computed, each a section with a checksum. `PassageStore(at:)` opens it as a store for reading only; with
/// `GGUFLanguageModel.LoadOptions.pack` the model uses its keys and values, to the same bits as without. A model that these are not of is
/// refused by that; search works with any, and without.
///
/// ```swift
/// try await store.pack(to: url, for: model)
/// let damage = try KnowledgePack(contentsOf: url).damage()
/// ```
///
/// Opening a pack maps it and reads what is small. A store of it compares passages and vectors with their checksums when it is opened, and a
/// model each block of keys and values when it is used: what is damaged is computed instead. `damage()` reads all.
/// The checksums find damage and keep out no forgeries: take packs only from those whom you trust with the answers.
public struct KnowledgePack: Sendable {
    /// A part of a pack.
    public struct Section: Sendable, Hashable, Codable {
        /// Its name, such as `store` or `vectors/codes`.
        public var name: String
        /// Where it lies in the file.
        public var byteOffset: Int
        /// Its size.
        public var byteCount: Int
    }

    /// All parts, in the order of the file.
    public let sections: [Section]
    /// Passages with vectors.
    public let vectorCount: Int
    /// The name of the model that keys and values are of; nil for a pack without.
    public let modelName: String?
    /// Beginnings of prompts whose keys and values are in the pack.
    public let beginningCount: Int
    /// Passages whose keys and values are in the pack.
    public let computedPassageCount: Int
    private let file: PackFile

    /// Maps a pack.
    ///
    /// - Throws: `RetrievalError`: `unreadable`, `notAPack`, `newerStore`, `damagedStore`.
    public init(contentsOf url: URL) throws {
        guard let file = try PackFile(opening: url.path) else {
            throw RetrievalError(
                code: FileManager.default.isReadableFile(atPath: url.path) ? .notAPack : .unreadable,
                message:
                    "\(url.path): there is no knowledge pack; make one with PassageStore.pack or edge-llm pack-docs")
        }
        self.file = file
        sections = file.file.sections.map { .init(name: $0.name, byteOffset: $0.offset, byteCount: $0.bytes.count) }
        vectorCount = file.vectorCount
        let model = try PackFile.translate(path: url.path) { () throws(SectionFileError) in try PackedModel(file.file) }
        modelName = model?.name
        beginningCount = model?.beginningCount ?? 0
        computedPassageCount = model?.passageCount ?? 0
    }

    /// Whether a file is one, damaged or not.
    public static func isPack(_ url: URL) -> Bool {
        do { return try PackFile(opening: url.path) != nil } catch { return true }
    }

    /// Reads every byte, and says what is damaged, in the order of the file; each error names the section.
    public func damage() -> [RetrievalError] { file.file.damage().map { PackFile.translated($0, path: file.path) } }
}

/// A knowledge pack: a file of sections of which the first is a database, so that SQLite opens the file as it is.
struct PackFile: Sendable {
    let path: String
    let file: SectionFile
    let store: SectionFile.Section

    enum Name {
        static let store = "store"
        static let ids = "vectors/ids"
        static let bounds = "vectors/bounds"
        static let codes = "vectors/codes"
        static let values = "vectors/values"
    }

    /// Maps a pack; nil where there is no file, or it is none.
    ///
    /// - Throws: `RetrievalError`.
    init?(opening path: String) throws(RetrievalError) {
        guard let bytes = try? MappedFile(path: path).bytes else { return nil }
        do throws(SectionFileError) {
            file = try SectionFile(bytes)
        } catch {
            // What is left of a pack still begins as one, and must not be taken for a store; nor a store for a pack that ends like one.
            guard Self.beginsAsPack(bytes) else { return nil }
            throw Self.translated(error, path: path)
        }
        guard let first = file.sections.first, first.name == Name.store, first.offset == 0,
            Self.beginsAsPack(first.bytes)
        else {
            throw RetrievalError(code: .notAPack, message: "\(path): the file has sections, but no passages in them")
        }
        store = first
        self.path = path
    }

    /// The header of SQLite's files has the application's number at byte 68, the highest byte first.
    private static func beginsAsPack(_ bytes: ByteView) -> Bool {
        bytes.load(UInt32.self, at: 68).map { Int64(UInt32(bigEndian: $0)) } == Schema.packedApplicationID
    }

    private func section(_ name: String) -> SectionFile.Section? { file.sections.first { $0.name == name } }

    var vectorCount: Int { (section(Name.ids)?.bytes.count ?? 0) / 8 }

    /// - Throws: `RetrievalError` with code `damagedStore`.
    func verifyStore() throws(RetrievalError) {
        try Self.translate(path: path) { () throws(SectionFileError) in try store.verify() }
    }

    /// The vectors, undamaged; without any where the pack has none.
    ///
    /// - Throws: `RetrievalError` with code `damagedStore`, which names the section.
    func vectors(dimensionCount: Int) throws(RetrievalError) -> VectorIndex.Parts {
        func bytes(_ name: String) throws(RetrievalError) -> ByteView {
            guard let section = section(name) else { return ByteView([]) }
            try Self.translate(path: path) { () throws(SectionFileError) in try section.verify() }
            return section.bytes
        }
        return .init(
            ids: try bytes(Name.ids), bounds: try bytes(Name.bounds), codes: try bytes(Name.codes),
            values: try bytes(Name.values))
    }

    static func translate<Value>(
        path: String, _ body: () throws(SectionFileError) -> Value
    ) throws(RetrievalError) -> Value {
        do throws(SectionFileError) { return try body() } catch { throw translated(error, path: path) }
    }

    static func translated(_ error: SectionFileError, path: String) -> RetrievalError {
        let code: RetrievalError.Code =
            switch error.code {
            case .unreadable: .unreadable
            case .notSections, .truncated, .damaged: .damagedStore
            case .unsupportedVersion: .newerStore
            }
        return RetrievalError(code: code, message: "\(path): \(error.message)", byteOffset: error.byteOffset)
    }
}

extension PassageStore {
    /// Whether the store is that of a knowledge pack, which is only read.
    public var isPack: Bool { pack != nil }

    /// Writes all that the store holds now to one file, a knowledge pack: passages, vectors and the index of words, and where a model is
    /// given, all that its `LoadOptions.prefixStore` has computed with it and with its settings (`saveBeginnings`, `savePassages`).
    ///
    /// With a model the pack is bound to its file's contents, even where nothing was computed yet. The pack is put in place when it is whole;
    /// there is never a part of one under its name. It needs as much room again beside it meanwhile as the store takes.
    /// - Throws: `RetrievalError`: `invalidOptions` where there is a file of that name, or the store is that of a pack; `storageFailed`,
    ///   `tooLarge`; `CancellationError`.
    public nonisolated(nonsending) func pack(to url: URL, for model: GGUFLanguageModel? = nil) async throws {
        guard pack == nil else {
            throw RetrievalError(code: .invalidOptions, message: "\(name): the store is that of a pack already")
        }
        let path = url.path
        guard !FileManager.default.fileExists(atPath: path) else {
            throw RetrievalError(code: .invalidOptions, message: "\(path): there is a file of that name")
        }
        let part = URL(fileURLWithPath: path + ".\(ProcessInfo.processInfo.processIdentifier).store")
        defer { try? FileManager.default.removeItem(at: part) }
        try? FileManager.default.removeItem(at: part)
        try await export(to: part)
        do {
            var parts: VectorIndex.Parts?
            do {
                let copy = try DatabaseQueue(path: part.path)
                defer { try? copy.close() }
                let dimensions = try await copy.read { try Schema.meta("dimensions", in: $0) }.flatMap { Int($0) }
                if let dimensions {
                    parts = try await DenseIndex(
                        database: copy, store: name, dimensionCount: dimensions, memoryLimit: options.memoryLimit,
                        threadCount: 1
                    ).parts()
                }
                try await copy.write { try Schema.pack($0) }
                try await copy.vacuum()
            }
            try Task.checkCancellation()
            try Self.write(part.path, parts, model?.packedSections, to: path)
        } catch {
            throw RetrievalError.translate(error, store: path)
        }
    }

    private static func write(
        _ store: String, _ vectors: VectorIndex.Parts?,
        _ contexts: (origin: (name: String, bytes: ByteView), files: [(name: String, path: String)])?,
        to path: String
    ) throws {
        var writer = try SectionFileWriter(path: path)
        try writer.add(PackFile.Name.store, MappedFile(path: store).bytes)
        if let vectors {
            try writer.add(PackFile.Name.ids, vectors.ids)
            try writer.add(PackFile.Name.bounds, vectors.bounds)
            try writer.add(PackFile.Name.codes, vectors.codes)
            try writer.add(PackFile.Name.values, vectors.values)
        }
        if let contexts {
            try writer.add(contexts.origin.name, contexts.origin.bytes)
            for file in contexts.files {
                try Task.checkCancellation()
                // Another process may have removed one to make room.
                guard let bytes = try? MappedFile(path: file.path).bytes else { continue }
                try writer.add(file.name, bytes)
            }
        }
        try writer.commit()
    }
}
