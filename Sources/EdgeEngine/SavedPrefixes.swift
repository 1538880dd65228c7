internal import EdgeCache
internal import EdgeKernels
package import EdgeModel
package import EdgePlatform

/// A folder with the keys and values of texts that prompts begin with, which processes share.
///
/// A file is a saved context (`SavedContextLayout`), named after what it was computed with, its first 32 tokens and all of them:
/// `ORIGIN-BEGINNING-TOKENS.prefix`, each an XXH64 in hexadecimal digits. Passages that may be moved (`SavedPassage`) end with `.passage`,
/// and are named after their own tokens, not those before them. Files are only ever put in place whole and removed, so there
/// is nothing to lock: who has one mapped keeps it. What is damaged is removed and computed again, never used.
package struct SavedPrefixes: Sendable {
    private let folder: String
    private let byteLimit: Int
    /// Tokens that a file must save whoever finds it.
    private let least: Int
    /// Whether the engine saves what contexts begin with by itself.
    let savesPrompts: Bool

    /// Files looked into for one prompt, the latest first.
    private static let candidateLimit = 1000

    /// - Parameters:
    ///   - byteLimit: bytes that the files may take together; the longest unused go.
    ///   - minimumTokenCount: tokens that are worth a file, at least 32.
    ///   - savesPrompts: whether what contexts begin with is saved by itself.
    /// - Throws: `PlatformError` when the folder is not there and cannot be made.
    package init(
        folder: String, byteLimit: Int, minimumTokenCount: Int, savesPrompts: Bool
    ) throws(PlatformError) {
        try Folder.create(folder)
        self.folder = folder
        self.byteLimit = byteLimit
        least = max(KeyValueLayer.blockLength, minimumTokenCount)
        self.savesPrompts = savesPrompts
    }

    private func path(_ name: String) -> String { folder + "/" + name }

    // MARK: Finding

    /// Looks through the files for the longest beginning of a prompt; removes those that are damaged.
    private func longest(
        _ prompt: [Int32], _ origin: SavedContextLayout.Origin, _ cache: KeyValueCache
    ) throws -> SavedMatch? {
        guard let start = SavedName.start(origin, cache, prompt[...]), let files = try? Folder.files(at: folder) else {
            return nil
        }
        let names = files.filter { $0.name.hasPrefix(start) && SavedName.isOwn($0.name, .prefix) }
            .sorted { ($1.modified, $0.name) < ($0.modified, $1.name) }
            .prefix(Self.candidateLimit).map(\.name)
        return try SavedMatch.longest(names, prompt, origin, cache) { (name) throws(SavedContextError) in
            try SavedContextLayout.read(path: path(name))
        } discard: { name, error in
            // What cannot be opened may have been removed by another process, or be none of ours.
            if error.code != .unreadable { Folder.remove(path(name)) }
        }
    }

    /// Brings the longest saved beginning of a prompt into a cache, if it is longer than what the cache holds.
    ///
    /// - Returns: how many tokens of the prompt are in the cache or in some file.
    /// - Throws: `CancellationError`; whatever else goes wrong, the cache then holds nothing or what it held.
    func restore(
        _ prompt: [Int32], _ origin: SavedContextLayout.Origin, held: Int, into cache: KeyValueCache, threadCount: Int
    ) throws -> Int {
        // Each round either succeeds or removes a file.
        while let match = try longest(prompt, origin, cache) {
            guard match.isWorth(held: held) else { return max(held, match.count) }
            do {
                try match.load(into: cache, threadCount: threadCount)
                Folder.touch(path(match.name))
                return match.count
            } catch let error as CancellationError {
                throw error
            } catch is SavedContextError {
                guard Folder.remove(path(match.name)) else { return held }
            } catch {
                return held
            }
        }
        return held
    }

    /// What a passage's keys and values are, undamaged as far as can be seen without looking at them; nil where they were not saved.
    func passage(_ name: String) -> SavedPassage? {
        do throws(SavedContextError) {
            let passage = try SavedPassage(SavedContextLayout.read(path: path(name)))
            Folder.touch(path(name))
            return passage
        } catch {
            if error.code != .unreadable { Folder.remove(path(name)) }
            return nil
        }
    }

    /// Removes what turned out to be damaged.
    func discard(_ name: String) { Folder.remove(path(name)) }

    /// All files that were computed with this, by name.
    func files(_ origin: SavedContextLayout.Origin, _ cache: KeyValueCache) -> [(name: String, path: String)] {
        let start = SavedName.origin(origin, cache)
        return ((try? Folder.files(at: folder)) ?? [])
            .filter { $0.name.hasPrefix(start) && SavedName.isOwn($0.name) }
            .map { ($0.name, path($0.name)) }
            .sorted { $0.name < $1.name }
    }

    // MARK: Writing

    /// Whether a beginning of which `known` tokens are held or saved already is worth a file.
    func isWorthSaving(_ count: Int, known: Int) -> Bool { savesPrompts && isWorthFile(count, known: known) }

    /// The same for one that is asked for.
    func isWorthFile(_ count: Int, known: Int) -> Bool { count - known >= least }

    /// Saves the beginning that a cache holds, unless it is there already; the longest unused files make room.
    ///
    /// - Throws: `SavedContextError.unwritable`.
    func save(
        _ count: Int, of cache: KeyValueCache, _ origin: SavedContextLayout.Origin, isDurable: Bool
    ) throws(SavedContextError) {
        let tokens = Array(cache.tokens.prefix(count))
        guard cache.holds(count), let name = SavedName.prefix(origin, cache, tokens) else {
            throw SavedContextError(.unwritable, "\(count) tokens are too few to be saved, or are not held")
        }
        let layout = SavedContextLayout(
            origin: origin, tokens: tokens, runs: cache.storedRuns(for: count), runByteCounts: cache.runByteCounts,
            info: [])
        try save(layout, as: name, cache, isDurable: isDurable)
    }

    /// Saves what a cache, all of whose layers keep all positions, holds of the passage that its text ends with.
    ///
    /// - Throws: `SavedContextError.unwritable`.
    func savePassage(
        _ span: Range<Int>, of cache: KeyValueCache, _ origin: SavedContextLayout.Origin
    ) throws(SavedContextError) {
        let tokens = Array(cache.tokens.prefix(span.upperBound))
        guard tokens.count == span.upperBound, let name = SavedName.passage(origin, cache, tokens[span]) else {
            throw SavedContextError(.unwritable, "\(span.count) tokens are too few to be saved, or are not held")
        }
        let runs = span.lowerBound / KeyValueLayer.blockLength..<cache.storedRuns(for: span.upperBound)[0].upperBound
        let layout = SavedContextLayout(
            origin: origin, tokens: tokens, runs: [runs], runByteCounts: cache.runByteCounts,
            info: SavedPassage.info(span.lowerBound))
        try save(layout, as: name, cache, isDurable: true)
    }

    private func save(
        _ layout: SavedContextLayout, as name: String, _ cache: KeyValueCache, isDurable: Bool
    ) throws(SavedContextError) {
        let byteCount = layout.head().count + layout.contentByteCount
        guard byteCount <= byteLimit else {
            throw SavedContextError(
                .unwritable, "it takes \(byteCount) bytes, but the folder may have \(byteLimit)")
        }
        guard (try? SavedContextLayout.read(path: path(name))) == nil else { return Folder.touch(path(name)) }
        makeRoom(for: byteCount, keeping: name)
        try layout.write(cache, to: path(name), isDurable: isDurable)
        // Others may have written meanwhile, who had seen the same room.
        makeRoom(for: 0, keeping: name)
    }

    /// Removes the longest unused files until there is room for so many bytes more, and what killed processes left.
    private func makeRoom(for byteCount: Int, keeping kept: String) {
        guard let files = try? Folder.files(at: folder) else { return }
        var total = byteCount
        var own: [Folder.File] = []
        for file in files {
            if SavedName.isOwn(file.name) {
                own.append(file)
                total += file.byteCount
                continue
            }
            guard let destination = SavedName.destination(ofTemporary: file.name) else { continue }
            // A process number may mean another process where folders are shared.
            if AtomicFile.isLeft(file.name, ofFileNamed: destination),
                Folder.now - file.modified > 600_000_000_000
            {
                Folder.remove(path(file.name))
            } else {
                total += file.byteCount
            }
        }
        for file in own.sorted(by: { ($0.modified, $0.name) < ($1.modified, $1.name) }) {
            guard total > byteLimit else { return }
            guard file.name != kept else { continue }
            Folder.remove(path(file.name))
            total -= file.byteCount
        }
    }
}

extension Engine {
    /// Makes a context hold as much of a prompt as it or another does, or, where the context is new, as a file has.
    ///
    /// - Returns: tokens held, and whether the rest is worth a file.
    func beginWithSaved(
        _ prompt: [Int32], _ context: GenerationContext
    ) async throws -> (held: Int, isWorthSaving: Bool) {
        let isNew = context.ledger.isEmpty
        let held = context.reusePrefix(of: prompt)
        guard isNew, prefixes != nil || pack != nil, prompt.count > KeyValueLayer.blockLength else {
            return (held, false)
        }
        let origin = origin(context.adapters?.adapters ?? [])
        let (prefixes, pack, threadCount) = (prefixes, pack, threadCount)
        // As the executor's thread is for all contexts, it does not wait for the disk.
        let reading = Task.detached {
            var known = held
            if let pack {
                known = try pack.restore(prompt, origin, held: known, into: context.cache, threadCount: threadCount)
            }
            if let prefixes {
                known = try prefixes.restore(
                    prompt, origin, held: known, into: context.cache, threadCount: threadCount)
            }
            return known
        }
        let known = try await withTaskCancellationHandler {
            try await reading.value
        } onCancel: {
            reading.cancel()
        }
        return (
            context.reusePrefix(of: prompt), prefixes?.isWorthSaving(prompt.count - 1, known: known) ?? false
        )
    }

    /// Saves what a context, which is being worked on, begins with.
    func saveBeginning(_ beginning: ArraySlice<Int32>, of context: GenerationContext) async throws {
        guard let prefixes, context.exactCount == nil, context.ledger.starts(with: beginning) else { return }
        let origin = origin(context.adapters?.adapters ?? [])
        let count = beginning.count
        try await Task.detached { try prefixes.save(count, of: context.cache, origin, isDurable: false) }.value
    }

    /// Computes a text, and saves it for prompts that begin with it.
    ///
    /// - Throws: `SavedContextError.unwritable`, also where there is no folder; `EngineError` and `ModelError` as generating does.
    package func savePrefix(_ tokens: [Int32], adapters: [AppliedAdapter] = []) async throws {
        guard let prefixes else {
            throw SavedContextError(.unwritable, "the model was loaded without a folder for prefixes")
        }
        let context = try makeContext(adapters: adapters)
        begin(context)
        defer { end(context) }
        try await fill(tokens, context)
        let origin = origin(adapters)
        try await Task.detached { try prefixes.save(tokens.count, of: context.cache, origin, isDurable: true) }.value
    }
}
