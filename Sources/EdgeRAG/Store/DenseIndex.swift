internal import EdgePlatform
internal import EdgeSearch
internal import Foundation
internal import GRDB

/// The vectors of a store in memory, brought up to date before each search, on a thread of its own.
actor DenseIndex {
    private nonisolated let executor: ThreadExecutor
    private nonisolated let database: any DatabaseWriter
    private nonisolated let store: String
    private let index: VectorIndex
    private let memoryLimit: Int
    /// Whether the vectors are those of a pack, which has no others.
    private let isFixed: Bool
    /// What the store's counter stood at when it was read.
    private var generation: String?

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    /// - Parameter parts: the vectors of a pack, undamaged, used where they are mapped; nil for those of the store.
    init(
        database: any DatabaseWriter, store: String, dimensionCount: Int, memoryLimit: Int, threadCount: Int?,
        parts: VectorIndex.Parts? = nil
    ) throws {
        guard (1...65536).contains(dimensionCount) else {
            throw RetrievalError(
                code: .unusableVectors, message: "the embedding model gives vectors of \(dimensionCount) coordinates")
        }
        executor = try ThreadExecutor()
        let team = try ThreadTeam(threadCount: threadCount ?? Processors.usableCoreCount)
        if let parts {
            guard let mapped = try VectorIndex(parts, dimensionCount: dimensionCount, team: team) else {
                throw RetrievalError(
                    code: .damagedStore, message: "\(store): the vectors of the pack contradict each other")
            }
            index = mapped
        } else {
            index = try VectorIndex(dimensionCount: dimensionCount, team: team)
        }
        isFixed = parts != nil
        self.database = database
        self.store = store
        self.memoryLimit = memoryLimit
    }

    struct Result: Sendable {
        var matches: [[VectorIndex.Match]]
        /// Vectors that were compared.
        var count: Int
    }

    /// The nearest passages of each query.
    func search(_ queries: [[Float]], limit: Int, allowed: Set<Int64>?) throws -> Result {
        try refresh()
        do throws(PlatformError) {
            return Result(
                matches: try index.search(queries, limit: limit, allowed: allowed), count: index.count)
        } catch {
            throw RetrievalError(error)
        }
    }

    /// The vectors of passages, as far as they are there.
    func vectors(_ ids: [Int64]) -> [Int64: [Float]] {
        var vectors: [Int64: [Float]] = [:]
        for id in ids { vectors[id] = index.vector(id) }
        return vectors
    }

    /// All vectors as a file may hold them; nil where there are none.
    func parts() throws -> VectorIndex.Parts? {
        try refresh()
        return index.count > 0 ? index.parts : nil
    }

    /// Reads what has come and forgets what has gone since the last time.
    func refresh() throws {
        guard !isFixed else { return }
        do {
            try database.read { db in
                let current = try Schema.meta("generation", in: db)
                guard current == nil || current != generation else { return }
                let stored = try Int64.fetchAll(db, sql: "SELECT passage FROM vectors ORDER BY passage")
                let needed = stored.count.multipliedReportingOverflow(by: index.bytesPerVector)
                guard !needed.overflow, needed.partialValue <= memoryLimit else {
                    throw RetrievalError(
                        code: .tooLarge,
                        message:
                            "\(store): \(stored.count) vectors take more than the \(memoryLimit) bytes that they may")
                }
                index.remove(index.allIDs.subtracting(stored))
                try load(stored.filter { !index.contains($0) }, db)
                generation = current
            }
        } catch {
            throw RetrievalError.translate(error, store: store)
        }
    }

    private func load(_ ids: [Int64], _ db: Database) throws {
        guard let first = ids.first, let last = ids.last else { return }
        let wanted = Set(ids)
        try index.reserve(index.storedCount + ids.count)
        let rows = try Row.fetchCursor(
            db, sql: "SELECT passage, codes, full FROM vectors WHERE passage BETWEEN ? AND ? ORDER BY passage",
            arguments: [first, last])
        while let row = try rows.next() {
            let id: Int64 = row["passage"]
            guard wanted.contains(id) else { continue }
            let codes: Data = row["codes"]
            let full: Data = row["full"]
            let encoded = VectorIndex.Encoded(codes: [UInt8](codes), values: [UInt8](full))
            guard id > 0, encoded.isValid(dimensionCount: index.dimensionCount) else {
                throw RetrievalError(
                    code: .damagedStore, message: "\(store): the vector of passage \(id) is damaged; index anew")
            }
            try index.add([(id, encoded)])
        }
    }
}
