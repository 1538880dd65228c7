internal import EdgeCache
internal import EdgeKernels
package import EdgeModel
package import EdgePlatform

/// A folder with the keys and values of texts that prompts begin with, which processes share.
///
/// A file is a saved context (`SavedContextLayout`), named after what it was computed with, its first 32 tokens and all of them:
/// `ORIGIN-BEGINNING-TOKENS.prefix`, each an XXH64 in hexadecimal digits. Files are only ever put in place whole and removed, so there
/// is nothing to lock: who has one mapped keeps it. What is damaged is removed and computed again, never used.
package struct SavedPrefixes: Sendable {
    private let folder: String
    private let byteLimit: Int
    /// Tokens that a file must save whoever finds it.
    private let least: Int
    /// Whether the engine saves what contexts begin with by itself.
    let savesPrompts: Bool

    private static let ending = ".prefix"
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

    // MARK: Names

    /// What the names of all files begin with that a prompt could begin with; nil for one too short.
    private func nameStart(_ origin: SavedContextLayout.Origin, _ cache: KeyValueCache, _ tokens: [Int32]) -> String? {
        guard tokens.count >= KeyValueLayer.blockLength else { return nil }
        var settings = LittleEndian()
        settings.add(SavedContextLayout.version)
        settings.add(origin.model)
        settings.add(origin.settings)
        for count in cache.runByteCounts { settings.add(UInt64(count)) }
        return Self.hexadecimal(Checksum.of(settings.bytes)) + "-"
            + Self.hexadecimal(Self.sum(tokens.prefix(KeyValueLayer.blockLength))) + "-"
    }

    private func name(_ start: String, _ tokens: [Int32]) -> String {
        start + Self.hexadecimal(Self.sum(tokens[...])) + Self.ending
    }

    private static func sum(_ tokens: ArraySlice<Int32>) -> UInt64 {
        var bytes = LittleEndian()
        for token in tokens { bytes.add(UInt32(bitPattern: token)) }
        return Checksum.of(bytes.bytes)
    }

    private static func hexadecimal(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// Whether a name is that of a file of this kind, and not of somebody else's.
    private static func isOwn(_ name: Substring) -> Bool {
        let parts = name.dropLast(ending.count).split(separator: "-", omittingEmptySubsequences: false)
        return name.hasSuffix(ending) && parts.count == 3
            && parts.allSatisfy { $0.utf8.count == 16 && UInt64($0, radix: 16) != nil }
    }

    private func path(_ name: String) -> String { folder + "/" + name }

    // MARK: Finding

    /// The file that has the most tokens in common with a prompt, and how many.
    private struct Match {
        var path: String
        var layout: SavedContextLayout
        var blocks: [SavedContextLayout.Place]
        var count: Int
    }

    /// Looks through the files for the longest beginning of a prompt; removes those that are damaged.
    private func longest(
        _ prompt: [Int32], _ origin: SavedContextLayout.Origin, _ cache: KeyValueCache
    ) throws -> Match? {
        guard let start = nameStart(origin, cache, prompt), let files = try? Folder.files(at: folder) else {
            return nil
        }
        let candidates = files.filter { $0.name.hasPrefix(start) && Self.isOwn($0.name[...]) }
            .sorted { ($1.modified, $0.name) < ($0.modified, $1.name) }
        var best: Match?
        for file in candidates.prefix(Self.candidateLimit) {
            try Task.checkCancellation()
            do throws(SavedContextError) {
                let (layout, blocks) = try SavedContextLayout.read(path: path(file.name))
                guard layout.origin == origin, layout.runByteCounts == cache.runByteCounts,
                    name(start, layout.tokens) == file.name
                else { throw SavedContextError(.damaged, "a file with another's name") }
                // The last token is left to run: its logits are wanted.
                let count = zip(layout.tokens, prompt.dropLast()).prefix { $0 == $1 }.count
                guard count > best?.count ?? 0 else { continue }
                let isUsable = zip(layout.runs, cache.storedRuns(for: count)).allSatisfy {
                    $0.lowerBound <= $1.lowerBound
                }
                if isUsable { best = Match(path: path(file.name), layout: layout, blocks: blocks, count: count) }
            } catch {
                // What cannot be opened may have been removed by another process, or be none of ours.
                if error.code != .unreadable { Folder.remove(path(file.name)) }
            }
        }
        return best
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
            // A file costs a percent or so of what it saves.
            guard match.count - held >= max(KeyValueLayer.blockLength, match.count / 32) else {
                return max(held, match.count)
            }
            cache.removeAll()
            do {
                try match.layout.load(match.count, match.blocks, into: cache, threadCount: threadCount)
                Folder.touch(match.path)
                return match.count
            } catch let error as CancellationError {
                throw error
            } catch is SavedContextError {
                guard Folder.remove(match.path) else { return held }
            } catch {
                return held
            }
        }
        return held
    }

    // MARK: Writing

    /// Whether a beginning of which `known` tokens are held or saved already is worth a file.
    func isWorthSaving(_ count: Int, known: Int) -> Bool { savesPrompts && count - known >= least }

    /// Saves the beginning that a cache holds, unless it is there already; the longest unused files make room.
    ///
    /// - Throws: `SavedContextError.unwritable`.
    func save(
        _ count: Int, of cache: KeyValueCache, _ origin: SavedContextLayout.Origin, isDurable: Bool
    ) throws(SavedContextError) {
        let tokens = Array(cache.tokens.prefix(count))
        guard cache.holds(count), let start = nameStart(origin, cache, tokens) else {
            throw SavedContextError(.unwritable, "\(count) tokens are too few to be saved, or are not held")
        }
        let name = name(start, tokens)
        let layout = SavedContextLayout(
            origin: origin, tokens: tokens, runs: cache.storedRuns(for: count), runByteCounts: cache.runByteCounts,
            info: [])
        let byteCount = layout.head().count + layout.contentByteCount
        guard byteCount <= byteLimit else {
            throw SavedContextError(
                .unwritable, "the prefix takes \(byteCount) bytes, but the folder may have \(byteLimit)")
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
            if Self.isOwn(file.name[...]) {
                own.append(file)
                total += file.byteCount
                continue
            }
            let destination = file.name.prefix(3 * 16 + 2 + Self.ending.count)
            guard Self.isOwn(destination), destination.count < file.name.count else { continue }
            // A process number may mean another process where folders are shared.
            if AtomicFile.isLeft(file.name, ofFileNamed: String(destination)),
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
        guard isNew, let prefixes, prompt.count > KeyValueLayer.blockLength else { return (held, false) }
        let origin = origin(context.adapters?.adapters ?? [])
        let threadCount = threadCount
        // As the executor's thread is for all contexts, it does not wait for the disk.
        let reading = Task.detached {
            try prefixes.restore(prompt, origin, held: held, into: context.cache, threadCount: threadCount)
        }
        let known = try await withTaskCancellationHandler {
            try await reading.value
        } onCancel: {
            reading.cancel()
        }
        return (context.reusePrefix(of: prompt), prefixes.isWorthSaving(prompt.count - 1, known: known))
    }

    /// Saves what a context, which is being worked on, begins with.
    func saveBeginning(_ beginning: ArraySlice<Int32>, of context: GenerationContext) async throws {
        guard let prefixes, context.ledger.starts(with: beginning) else { return }
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
