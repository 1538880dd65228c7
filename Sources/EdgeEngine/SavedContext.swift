internal import EdgeCache
internal import EdgeKernels
package import EdgeModel
internal import EdgePlatform
internal import Synchronization

/// Why a saved state cannot be written, or cannot be used.
package struct SavedContextError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// The file cannot be opened, read or written.
        case unreadable, unwritable
        /// The file is no saved state.
        case notSavedState
        /// Its version is not the one that this library writes.
        case unsupportedVersion
        /// The file ends too early.
        case truncated
        /// A checksum does not fit, or the file contradicts itself.
        case damaged
        /// It was saved with another model.
        case otherModel
        /// It was saved with settings that compute other keys and values, or with other adapters.
        case otherSettings
        /// It holds more tokens than the context has room for.
        case contextTooSmall
    }

    package let code: Code
    package let message: String
    /// The byte of the file it is about.
    package let byteOffset: Int?

    package init(_ code: Code, _ message: String, byteOffset: Int? = nil) {
        self.code = code
        self.message = message
        self.byteOffset = byteOffset
    }

    package var description: String { message + (byteOffset.map { " (at byte \($0))" } ?? "") }
}

/// The file of a saved context. All numbers are little-endian:
///
///     0   "EdgeLLM\n"
///     8   u32 version, u32 0
///     16  u64 bytes of the description, u64 where the blocks begin, u64 bytes of the file
///     40  u64 checksum of the description, u64 0, u64 checksum of the 56 bytes before
///     64  description: fingerprints of model and settings, tokens, runs of each group, and what the caller adds
///         blocks of keys and values, as they lie in memory, on whole pages of 4096 bytes, so that they can be used where they lie
///         u64 checksum for each block, then u64 checksum of these
///
/// Every byte is under a checksum or has to be zero, and the length is stated: what is cut, grown or changed is found.
struct SavedContextLayout {
    static let magic: [UInt8] = Array("EdgeLLM\n".utf8)
    /// Also stands for how keys and values are computed and laid out: raise it where that changes a bit.
    static let version: UInt32 = 2
    static let preludeByteCount = 64
    /// A page: blocks begin on one, and what they do not fill of their last is zero.
    static let alignment = 4096

    /// What a file was saved with; contexts with the same hold the same keys and values for the same tokens.
    struct Origin: Equatable {
        var model: UInt64
        var settings: UInt64
    }

    var origin: Origin
    var tokens: [Int32]
    /// By group: the runs of 32 positions that are stored, and the bytes of one.
    var runs: [Range<Int>]
    var runByteCounts: [Int]
    var info: [UInt8]

    /// By group and run, in the order of the file.
    var blocks: [(group: Int, run: Int)] {
        runs.enumerated().flatMap { group, runs in runs.map { (group, $0) } }
    }

    /// Bytes of the blocks and their checksums.
    var contentByteCount: Int { zip(runs, runByteCounts).reduce(8) { $0 + $1.0.count * (Self.wholePages($1.1) + 8) } }

    private static func wholePages(_ byteCount: Int) -> Int { (byteCount + alignment - 1) / alignment * alignment }

    // MARK: Writing

    /// The prelude and the description, padded to where the blocks begin.
    func head() -> [UInt8] {
        var description = LittleEndian()
        description.add(origin.model)
        description.add(origin.settings)
        description.add(UInt64(tokens.count))
        for token in tokens { description.add(UInt32(bitPattern: token)) }
        description.add(UInt64(runs.count))
        for (runs, bytes) in zip(runs, runByteCounts) {
            description.add(UInt64(runs.lowerBound))
            description.add(UInt64(runs.count))
            description.add(UInt64(bytes))
        }
        description.add(UInt64(info.count))
        description.bytes += info
        let end = Self.preludeByteCount + description.bytes.count
        let start = Self.wholePages(end)
        var prelude = LittleEndian()
        prelude.bytes = Self.magic
        prelude.add(Self.version)
        prelude.add(UInt32(0))
        prelude.add(UInt64(description.bytes.count))
        prelude.add(UInt64(start))
        prelude.add(UInt64(start + contentByteCount))
        prelude.add(Checksum.of(description.bytes))
        prelude.add(UInt64(0))
        prelude.add(Checksum.of(prelude.bytes))
        return prelude.bytes + description.bytes + Array(repeating: 0, count: start - end)
    }

    // MARK: Reading

    /// Where a block lies in the file, and what it has to be.
    struct Place {
        var group: Int
        var run: Int
        var bytes: ByteView
        /// What follows up to the next page.
        var padding: ByteView
        var offset: Int
        var checksum: UInt64

        /// Whether its contents, wherever they lie now, are what was saved, and nothing is behind them.
        func isIntact(_ contents: RawSpan) -> Bool {
            Checksum.of(contents) == checksum && (0..<padding.count).allSatisfy { padding[$0] == 0 }
        }
    }

    /// Reads all but the blocks' own contents.
    static func read(_ file: ByteView) throws(SavedContextError) -> (layout: SavedContextLayout, blocks: [Place]) {
        let common = (0..<min(file.count, magic.count)).allSatisfy { file[$0] == magic[$0] }
        guard common, file.count > 0 else {
            throw SavedContextError(.notSavedState, "the file is no saved state", byteOffset: 0)
        }
        guard let prelude = file.slice(at: 0, byteCount: preludeByteCount) else {
            throw SavedContextError(.truncated, "the file has only \(file.count) bytes", byteOffset: file.count)
        }
        func number(_ offset: Int) -> UInt64 { UInt64(littleEndian: prelude.load(at: offset) ?? 0) }
        let version = UInt32(littleEndian: prelude.load(at: 8) ?? 0)
        guard version == Self.version else {
            throw SavedContextError(
                .unsupportedVersion, "the state is of version \(version), but this library writes \(Self.version)",
                byteOffset: 8)
        }
        guard let before = prelude.slice(at: 0, byteCount: 56), Checksum.of(before) == number(56) else {
            throw SavedContextError(.damaged, "the beginning of the file is damaged", byteOffset: 0)
        }
        let stated = number(32)
        guard stated == UInt64(file.count) else {
            let isShort = stated > UInt64(file.count)
            throw SavedContextError(
                isShort ? .truncated : .damaged, "the file has \(file.count) bytes, not \(stated)",
                byteOffset: min(file.count, Int(clamping: stated)))
        }
        let damaged = SavedContextError(
            .damaged, "the description of the state is damaged", byteOffset: preludeByteCount)
        guard let bytes = file.slice(at: preludeByteCount, byteCount: Int(clamping: number(16))),
            Checksum.of(bytes) == number(40)
        else { throw damaged }
        guard let layout = SavedContextLayout(bytes) else { throw damaged }

        // The padding is all that no checksum covers.
        let start = Int(clamping: number(24))
        let end = preludeByteCount + bytes.count
        guard start >= end, start - end < alignment, let padding = file.slice(at: end, byteCount: start - end),
            (0..<padding.count).allSatisfy({ padding[$0] == 0 })
        else { throw SavedContextError(.damaged, "the blocks do not begin where they should", byteOffset: end) }
        let order = layout.blocks
        let tableCount = order.count.multipliedReportingOverflow(by: 8)
        guard !tableCount.overflow, file.count - 8 - tableCount.partialValue >= start,
            let table = file.slice(at: file.count - 8 - tableCount.partialValue, byteCount: tableCount.partialValue),
            Checksum.of(table) == UInt64(littleEndian: file.load(at: file.count - 8) ?? 0)
        else {
            throw SavedContextError(.damaged, "the checksums of the blocks are damaged", byteOffset: file.count - 8)
        }
        var places: [Place] = []
        places.reserveCapacity(order.count)
        var offset = start
        for (index, (group, run)) in order.enumerated() {
            let count = layout.runByteCounts[group]
            guard let view = file.slice(at: offset, byteCount: count), case let whole = wholePages(count),
                let padding = file.slice(at: offset + count, byteCount: whole - count),
                offset + whole <= file.count - 8 - table.count
            else {
                throw SavedContextError(.damaged, "the blocks do not fit the file", byteOffset: offset)
            }
            places.append(
                Place(
                    group: group, run: run, bytes: view, padding: padding, offset: offset,
                    checksum: UInt64(littleEndian: table.load(at: index * 8) ?? 0)))
            offset += whole
        }
        guard offset == file.count - 8 - table.count else {
            throw SavedContextError(.damaged, "the blocks do not fill the file", byteOffset: offset)
        }
        return (layout, places)
    }

    /// Reads a description; nil where it contradicts itself.
    private init?(_ bytes: ByteView) {
        var offset = 0
        func number() -> UInt64? {
            defer { offset += 8 }
            return bytes.load(UInt64.self, at: offset).map { UInt64(littleEndian: $0) }
        }
        guard let model = number(), let settings = number(), let tokenCount = number().flatMap({ Int(exactly: $0) }),
            tokenCount <= (bytes.count - offset) / 4
        else { return nil }
        origin = Origin(model: model, settings: settings)
        tokens = (0..<tokenCount).map { index in
            Int32(littleEndian: bytes.load(Int32.self, at: offset + 4 * index) ?? -1)
        }
        offset += 4 * tokenCount
        guard let groupCount = number().flatMap({ Int(exactly: $0) }), groupCount <= (bytes.count - offset) / 24 else {
            return nil
        }
        let runCount = (tokenCount + KeyValueLayer.blockLength - 1) / KeyValueLayer.blockLength
        runs = []
        runByteCounts = []
        for _ in 0..<groupCount {
            guard let first = number().flatMap({ Int(exactly: $0) }),
                let count = number().flatMap({ Int(exactly: $0) }),
                let bytes = number().flatMap({ Int(exactly: $0) }), first <= runCount, count == runCount - first
            else { return nil }
            runs.append(first..<runCount)
            runByteCounts.append(bytes)
        }
        guard let infoCount = number().flatMap({ Int(exactly: $0) }), infoCount == bytes.count - offset,
            let info = bytes.slice(at: offset, byteCount: infoCount)
        else { return nil }
        self.info = info.copied()
    }

    init(origin: Origin, tokens: [Int32], runs: [Range<Int>], runByteCounts: [Int], info: [UInt8]) {
        self.origin = origin
        self.tokens = tokens
        self.runs = runs
        self.runByteCounts = runByteCounts
        self.info = info
    }
}

/// Puts the blocks of a file into a cache, several threads at once, and checks each where it lies then: in the file's own pages where
/// these can be mapped in place of the cache's, else in memory.
///
/// `@unchecked Sendable`: each block is one thread's, and the finding is behind a lock.
private final class BlockLoading: TeamJob, @unchecked Sendable {
    private let cache: KeyValueCache
    private let blocks: [SavedContextLayout.Place]
    /// The first place in the file that is damaged.
    private let damaged = Lock<Int?>(nil)
    private let failure = Lock<PlatformError?>(nil)
    private let isCancelled = Atomic<Bool>(false)

    /// More threads do not bring memory sooner.
    private static let threadLimit = 8

    init(_ cache: KeyValueCache, _ blocks: [SavedContextLayout.Place]) {
        self.cache = cache
        self.blocks = blocks
    }

    /// Returns the place of the first damage, nil where there is none.
    ///
    /// - Throws: `CancellationError`; `PlatformError` when the system refuses a thread, or a block that lies in a file cannot be
    ///   written there.
    func run(threadCount: Int) throws -> Int? {
        try ThreadTeam(threadCount: max(1, min(threadCount, Self.threadLimit, blocks.count))).run(self)
        try Task.checkCancellation()
        if let error = failure.withLock({ $0 }) { throw error }
        return damaged.withLock { $0 }
    }

    func run(_ worker: TeamWorker) {
        while true {
            let index = worker.nextTicket()
            // What lies before a damage is looked at, so that the first one is named whoever finds another.
            guard index < blocks.count, damaged.withLock({ $0 == nil }), !isCancelled.load(ordering: .relaxed) else {
                return
            }
            // The other threads know of no task.
            if worker.index == 0, Task.isCancelled { isCancelled.store(true, ordering: .relaxed) }
            let block = blocks[index]
            do throws(PlatformError) {
                try cache.fill(group: block.group, run: block.run, from: block.bytes)
                let isWhole = try cache.withSpan(group: block.group, run: block.run) { (span) throws(PlatformError) in
                    block.isIntact(span)
                }
                if !isWhole { damaged.withLock { $0 = min($0 ?? .max, block.offset) } }
            } catch {
                failure.withLock { $0 = $0 ?? error }
                isCancelled.store(true, ordering: .relaxed)
            }
        }
    }
}

/// Bytes being put together.
struct LittleEndian {
    var bytes: [UInt8] = []

    mutating func add(_ number: some FixedWidthInteger & UnsignedInteger) {
        var rest = number
        for _ in 0..<number.bitWidth / 8 {
            bytes.append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }
}

extension SavedContextLayout {
    /// Writes a file that replaces an older one in one step when it is whole.
    ///
    /// - Parameters:
    ///   - cache: what holds the blocks, active meanwhile.
    ///   - isDurable: whether to wait for the disk.
    /// - Throws: `SavedContextError.unwritable`.
    func write(_ cache: KeyValueCache, to path: String, isDurable: Bool) throws(SavedContextError) {
        do throws(PlatformError) {
            let file = try AtomicFile(path: path)
            try file.write(head())
            var sums = LittleEndian()
            for (group, run) in blocks {
                try cache.withSpan(group: group, run: run) { (span) throws(PlatformError) in
                    sums.add(Checksum.of(span))
                    try file.write(span)
                    let padding = Self.wholePages(span.byteCount) - span.byteCount
                    if padding > 0 { try file.write([UInt8](repeating: 0, count: padding)) }
                }
            }
            try file.write(sums.bytes)
            var last = LittleEndian()
            last.add(Checksum.of(sums.bytes))
            try file.write(last.bytes)
            try file.commit(isDurable: isDurable)
        } catch {
            throw SavedContextError(.unwritable, "the state cannot be saved: \(error)")
        }
    }

    /// Maps a file and reads all but the blocks' own contents.
    static func read(path: String) throws(SavedContextError) -> (layout: SavedContextLayout, blocks: [Place]) {
        let bytes: ByteView
        do throws(PlatformError) {
            bytes = try MappedFile(path: path, staysOpen: true).bytes
        } catch {
            throw SavedContextError(.unreadable, "the state cannot be read: \(error)")
        }
        return try read(bytes)
    }

    /// Brings the first tokens into an empty cache, which stays empty where that fails.
    ///
    /// - Parameter blocks: as `read` gave them.
    /// - Throws: `SavedContextError.damaged`; `CacheError`; `PlatformError` when the system refuses a thread; `CancellationError`.
    func load(_ count: Int, _ blocks: [Place], into cache: KeyValueCache, threadCount: Int) throws {
        let wanted = cache.storedRuns(for: count)
        guard count <= tokens.count, runs.count == wanted.count, runByteCounts == cache.runByteCounts,
            zip(runs, wanted).allSatisfy({ $0.lowerBound <= $1.lowerBound && $0.upperBound >= $1.upperBound })
        else { throw SavedContextError(.damaged, "the state lacks what a window looks back to") }
        do {
            var done = 0
            while done < count {
                // All at once, but where blocks must make way for others, in pieces.
                let next = min(count - done, cache.savedPieceLength) + done
                try cache.reserveSaved(next, of: count)
                let length = KeyValueLayer.blockLength
                let runs = done / length..<(next + length - 1) / length
                let part = blocks.filter { wanted[$0.group].contains($0.run) && runs.contains($0.run) }
                for block in part { block.bytes.prepare() }
                let loading = BlockLoading(cache, part)
                if let damaged = try loading.run(threadCount: threadCount) {
                    throw SavedContextError(.damaged, "keys and values of the state are damaged", byteOffset: damaged)
                }
                cache.append(tokens[done..<next])
                done = next
            }
        } catch {
            cache.removeAll()
            throw error
        }
    }
}

extension Engine {
    /// What keys and values of this engine depend on besides tokens.
    nonisolated func origin(_ adapters: [AppliedAdapter]) -> SavedContextLayout.Origin {
        var settings = LittleEndian()
        settings.add(UInt64(KeyValueLayer.blockLength))
        settings.bytes += Array(cacheGeometry.precision.rawValue.utf8) + [0]
        settings.add(UInt64(model.keysDependOnCapacity ? contextSize : 0))
        settings.add(UInt64(usesOwnArithmetic ? 0 : 1))
        for applied in adapters where applied.scale != 0 {
            settings.add(applied.adapter.fingerprint)
            settings.add(applied.scale.bitPattern)
        }
        return .init(model: fingerprint, settings: Checksum.of(settings.bytes))
    }

    /// Writes what a context holds to a file, which replaces an older one in one step when it is whole. Other contexts go on meanwhile.
    ///
    /// - Parameter info: bytes that `restore` hands out again.
    /// - Throws: `EngineError.contextBusy`, `SavedContextError.unwritable`.
    package func save(_ context: GenerationContext, info: [UInt8], to path: String) async throws {
        guard !context.isBusy else { throw EngineError.contextBusy }
        begin(context)
        defer { end(context) }
        // What rests may have been taken by others: then the state has fewer tokens, and they are computed again.
        let origin = origin(context.adapters?.adapters ?? [])
        try await Task.detached {
            let cache = context.cache
            // What was moved here from elsewhere is no other's, and computed again too.
            let tokens = Array(cache.tokens.prefix(context.exactCount ?? .max))
            try SavedContextLayout(
                origin: origin, tokens: tokens, runs: cache.storedRuns(for: tokens.count),
                runByteCounts: cache.runByteCounts, info: info
            ).write(cache, to: path, isDurable: true)
        }.value
    }

    /// What a file holds besides keys and values, whole and undamaged, whatever model it is of.
    ///
    /// - Throws: `SavedContextError`.
    package static func savedInfo(at path: String) throws(SavedContextError) -> [UInt8] {
        try SavedContextLayout.read(path: path).layout.info
    }

    /// A context as it was saved. The file is mapped, and its blocks are used where they lie, after their checksums: nothing is copied
    /// until a block is written. As a model's file, it may be replaced and removed while it is used, but must not be written into.
    /// Blocks are copied where that is not possible: for a cache that lies partly in a file, or pages of another size.
    ///
    /// - Parameter adapters: what is added to the weights, as when it was saved.
    /// - Throws: `SavedContextError`; `EngineError.cacheExhausted` when other contexts use the memory; `ModelError`.
    package func restore(
        from path: String, adapters: [AppliedAdapter] = []
    ) async throws -> (context: GenerationContext, info: [UInt8]) {
        let context = try makeContext(adapters: adapters)
        begin(context)
        defer { end(context) }
        let origin = origin(adapters)
        let info = try await Task.detached { try self.read(path, origin: origin, into: context) }.value
        return (context, info)
    }

    private nonisolated func read(
        _ path: String, origin: SavedContextLayout.Origin, into context: GenerationContext
    ) throws -> [UInt8] {
        let (layout, blocks) = try SavedContextLayout.read(path: path)
        guard layout.origin.model == origin.model else {
            throw SavedContextError(.otherModel, "the state was saved with another model")
        }
        guard layout.origin.settings == origin.settings else {
            throw SavedContextError(
                .otherSettings, "the state was saved with another cache precision, other adapters or other arithmetic")
        }
        let count = layout.tokens.count
        guard count < contextSize else {
            throw SavedContextError(
                .contextTooSmall, "the state has \(count) tokens, but the context holds \(contextSize) with an answer")
        }
        guard layout.tokens.allSatisfy({ $0 >= 0 && Int($0) < model.vocabularySize }) else {
            throw SavedContextError(.damaged, "the state has tokens that the model does not know")
        }
        // Windows that the context's size makes useless are no groups; another size has other groups.
        let cache = context.cache
        guard layout.runByteCounts == cache.runByteCounts else {
            throw SavedContextError(.otherSettings, "the state was saved with a context of another size")
        }
        do {
            try layout.load(count, blocks, into: cache, threadCount: threadCount)
        } catch is CacheError {
            throw EngineError.cacheExhausted(
                tokenCount: count, capacity: cache.pool.capacity * KeyValueLayer.blockLength)
        } catch let error as PlatformError {
            throw ModelError(.insufficientMemory, "the state cannot be restored: \(error)")
        }
        context.ledger = layout.tokens
        return layout.info
    }
}
