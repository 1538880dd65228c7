internal import EdgeEngine
internal import EdgePlatform
public import Foundation

/// A folder that keeps what models have computed of the beginnings of prompts: instructions, tools, a manual that many ask about.
///
/// What a session or a completion begins with is looked up there by its tokens, and the longest saved beginning is read instead of being
/// computed, to the same bits. Any number of processes may use a folder at once, with models and settings of any kind: files are
/// named after what they hold and after all that it depends on. A process may be killed at any moment.
///
/// ```swift
/// var options = GGUFLanguageModel.LoadOptions()
/// options.prefixStore = PrefixStore(directory: URL(filePath: "prefixes"), byteLimit: 2 << 30)
/// let model = try await GGUFLanguageModel(contentsOf: url, options: options)
/// ```
///
/// A file that is damaged or was cut is removed, and its text computed again. Files are used where they lie: one that is removed while it is in
/// use takes its room on the disk until it is not. The checksums find damage and do not keep out forgeries:
/// use a folder that only those can write to whom you trust with the answers. In it, only files of this kind are ever removed.
public struct PrefixStore: Sendable, Hashable {
    /// The folder; made when the model is loaded where it is not there.
    public var directory: URL
    /// Bytes that the files may take together. Those that were not used for longest are removed to make room.
    public var byteLimit: Int
    /// Whether the first prompt of each session, each completion's, and what `prewarm` computes is saved by itself, when at least
    /// `minimumTokenCount` tokens of it are new. Otherwise only `savePrefix` saves. A beginning that cannot be saved by itself, as the
    /// disk is full, is not saved, and the answer goes on.
    public var savesPrompts: Bool
    /// Tokens that are worth a file, 32 or more.
    public var minimumTokenCount: Int

    /// A folder and what goes into it.
    public init(
        directory: URL, byteLimit: Int = 4 << 30, savesPrompts: Bool = true, minimumTokenCount: Int = 128
    ) {
        self.directory = directory
        self.byteLimit = byteLimit
        self.savesPrompts = savesPrompts
        self.minimumTokenCount = minimumTokenCount
    }

    /// - Throws: `ModelLoadingError` with code `invalidOptions`.
    func opened() throws(ModelLoadingError) -> SavedPrefixes {
        guard byteLimit >= 0, minimumTokenCount >= 32 else {
            throw ModelLoadingError(
                code: .invalidOptions,
                message:
                    "a folder for prefixes of \(byteLimit) bytes with at least \(minimumTokenCount) tokens each is not possible"
            )
        }
        do throws(PlatformError) {
            return try SavedPrefixes(
                folder: directory.path, byteLimit: byteLimit, minimumTokenCount: minimumTokenCount,
                savesPrompts: savesPrompts)
        } catch {
            throw ModelLoadingError(code: .invalidOptions, message: "the folder for prefixes cannot be used: \(error)")
        }
    }
}

extension GGUFLanguageModel {
    /// Computes a text and saves it in the model's `LoadOptions.prefixStore`, for completions that begin with it. What is saved already
    /// counts as used.
    ///
    /// - Throws: `SavedStateError` with code `unwritable` where it cannot be saved: no store, a full disk, more bytes than the store may
    ///   have, fewer than 32 tokens; `LanguageModelError`.
    public nonisolated(nonsending) func savePrefix(of text: String, adapters: [LoRAAdapter] = []) async throws {
        try await savePrefix(ofTokens: tokenizer.encode(text), adapters: adapters)
    }

    /// As `savePrefix(of:adapters:)`, for a text given as ids.
    public nonisolated(nonsending) func savePrefix(ofTokens tokens: [Int], adapters: [LoRAAdapter] = []) async throws {
        do {
            try await engine.savePrefix(tokenizer.checked(tokens), adapters: adapters.map(\.applied))
        } catch let error as SavedContextError {
            throw SavedStateError(error)
        } catch {
            throw LanguageModelError.translate(error)
        }
    }
}

extension LanguageModelSession {
    /// Computes what the next prompt begins with (instructions, tools, the conversation so far) and saves it in the model's
    /// `LoadOptions.prefixStore`, for sessions that begin alike, in this process or another.
    ///
    /// - Throws: as `GGUFLanguageModel.savePrefix(of:adapters:)`; also `SavedStateError` with code `unsupportedSession` where the
    ///   model is none from a file.
    public nonisolated(nonsending) func savePrefix() async throws {
        guard let save = model.savePrefix else {
            throw SavedStateError(
                code: .unsupportedSession, message: "only a session with a model from a file can save a prefix")
        }
        let (entries, adapters) = state.withLock { ($0.transcript.entries, $0.adapters) }
        try await save(
            .init(
                transcript: .init(entries: entries), enabledTools: ToolUse.definitions(tools), adapters: adapters))
    }
}
