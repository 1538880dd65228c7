internal import EdgeEngine
internal import EdgeModel
internal import EdgePlatform
internal import EdgeTemplate
public import Foundation
internal import Synchronization

/// Why the state of a session cannot be saved, or a saved one cannot be used.
public struct SavedStateError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure. An open set: compare with the constants, and have a default.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private let name: String
        init(_ name: String) { self.name = name }

        /// The name of the constant.
        public var description: String { name }

        /// The file cannot be opened or read.
        public static let unreadable = Code("unreadable")
        /// The file cannot be written; an older one is still there.
        public static let unwritable = Code("unwritable")
        /// The file is no saved state.
        public static let notSavedState = Code("notSavedState")
        /// The version is not that of this library.
        public static let unsupportedVersion = Code("unsupportedVersion")
        /// The file ends too early.
        public static let truncated = Code("truncated")
        /// A checksum does not fit.
        public static let damaged = Code("damaged")
        /// It was saved with another model.
        public static let otherModel = Code("otherModel")
        /// It was saved with another cache precision, with other adapters, or with BLAS on one side only.
        public static let otherSettings = Code("otherSettings")
        /// It holds more tokens than the context has room for.
        public static let contextTooSmall = Code("contextTooSmall")
        /// The session is no session of a model from a file.
        public static let unsupportedSession = Code("unsupportedSession")
    }

    /// The kind of failure.
    public var code: Code
    /// What is wrong, in one line.
    public var message: String
    /// The byte of the file it is about.
    public var byteOffset: Int?

    /// The message, and the place in the file.
    public var description: String { message + (byteOffset.map { " (at byte \($0))" } ?? "") }

    init(code: Code, message: String, byteOffset: Int? = nil) {
        self.code = code
        self.message = message
        self.byteOffset = byteOffset
    }

    init(_ error: SavedContextError) {
        self.init(code: Code(error.code.rawValue), message: error.message, byteOffset: error.byteOffset)
    }
}

/// What is saved of a session besides keys and values.
private struct SavedSession: Codable {
    struct Moment: Codable {
        var year, month, day, hour, minute, second: Int
    }

    var transcript: Transcript
    /// The date that templates write: with another one the prompt would begin differently.
    var moment: Moment
    var usage: [Double]
}

extension LanguageModelSession {
    /// What of a session goes into a file, or must be as it was.
    struct Conversation: Sendable {
        var transcript: Transcript
        var usage: Usage
        var adapters: [LoRAAdapter]
    }

    /// Saves the session to a file: the transcript, and what the model has computed of it, so that a session made from the file goes
    /// on without computing it again.
    ///
    /// An older file is replaced in one step when the new one is whole, whatever happens meanwhile. Tools and adapters are not in
    /// the file. Nor is the state of a sampler, as none outlives an answer: each begins with its own generator, from its seed, and its own
    /// bound of mirostat, and penalties look at the tokens of the whole prompt, which the transcript gives.
    /// - Throws: `SavedStateError`; `LanguageModelSession.Error.concurrentRequests` while an answer is being written.
    public nonisolated(nonsending) func saveState(to url: URL) async throws {
        guard let save = model.save else {
            throw SavedStateError(
                code: .unsupportedSession, message: "only a session with a model from a file can be saved")
        }
        let task: Task<Void, any Swift.Error>? = state.withLock { state in
            guard state.turn == nil else { return nil }
            let previous = state.worker
            let conversation = Conversation(
                transcript: state.transcript, usage: state.usage, adapters: state.adapters)
            let task = Task {
                await previous?.value
                try await save(conversation, url.path)
            }
            // The next answer waits.
            state.worker = Task { _ = await task.result }
            return task
        }
        guard let task else { throw Error.concurrentRequests }
        try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    /// Goes on with a session that was saved.
    ///
    /// Its answers are those that the saved session would have given, bit for bit. A file that is damaged, cut, of another model or of
    /// other settings is refused. The file stays mapped while the session goes on from it: it may be replaced or removed, but not written into.
    /// - Parameters:
    ///   - tools: what the model may call; what was saved is of use only with the same ones.
    ///   - adapters: as when the session was saved.
    ///   - recomputing: whether a state whose keys and values cannot be used, but whose transcript is whole, is computed again with the
    ///     next answer instead of being refused.
    /// - Throws: `SavedStateError`; `LanguageModelError.cacheExhausted` when other sessions use all memory.
    public convenience init(
        restoring url: URL, model: GGUFLanguageModel, tools: [any Tool] = [], adapters: [LoRAAdapter] = [],
        recomputing: Bool = false
    ) async throws {
        let path = url.path
        do {
            let (info, context): ([UInt8], GenerationContext?)
            do {
                let restored = try await model.engine.restore(from: path, adapters: adapters.map(\.applied))
                (info, context) = (restored.info, restored.context)
            } catch let error as SavedContextError where recomputing {
                guard [.damaged, .otherModel, .otherSettings, .contextTooSmall].contains(error.code) else {
                    throw error
                }
                (info, context) = (try Engine.savedInfo(at: path), nil)
            }
            let saved: SavedSession
            do {
                saved = try JSONDecoder().decode(SavedSession.self, from: Data(info))
            } catch {
                throw SavedContextError(.damaged, "the transcript of the state cannot be read: \(error)")
            }
            let executor = GGUFLanguageModel.Executor(
                configuration: model.executorConfiguration, now: TemplateTime(saved.moment), context: context)
            self.init(
                SessionModel(model, .success(executor)), tools: tools,
                state: State(transcript: saved.transcript, usage: Usage(saved.usage), adapters: adapters))
        } catch let error as SavedContextError {
            throw SavedStateError(error)
        } catch {
            throw LanguageModelError.translate(error)
        }
    }
}

extension GGUFLanguageModel.Executor {
    /// Saves the conversation and what was computed of it.
    func save(
        _ conversation: LanguageModelSession.Conversation, of model: GGUFLanguageModel, to path: String
    ) async throws {
        AtomicFile.removeLeftovers(of: path)
        let saved = SavedSession(
            transcript: conversation.transcript, moment: .init(now), usage: conversation.usage.numbers)
        do {
            try await model.engine.save(
                context(of: model, conversation.adapters), info: Array(JSONEncoder().encode(saved)), to: path)
        } catch let error as SavedContextError {
            throw SavedStateError(error)
        } catch {
            throw LanguageModelError.translate(error)
        }
    }
}

extension SavedSession.Moment {
    fileprivate init(_ time: TemplateTime) {
        self.init(
            year: time.year, month: time.month, day: time.day, hour: time.hour, minute: time.minute,
            second: time.second)
    }
}

extension TemplateTime {
    fileprivate init(_ moment: SavedSession.Moment) {
        self.init(
            year: moment.year, month: moment.month, day: moment.day, hour: moment.hour, minute: moment.minute,
            second: moment.second)
    }
}

extension Usage {
    /// For saving, in this order for good.
    fileprivate var numbers: [Double] {
        [
            Double(input.totalTokenCount), Double(input.cachedTokenCount), Double(output.totalTokenCount),
            Double(output.reasoningTokenCount), Double(output.forcedTokenCount), prefillSeconds, timeToFirstToken,
            decodeSeconds, Double(input.droppedTokenCount), Double(output.droppedTokenCount),
        ]
    }

    fileprivate init(_ numbers: [Double]) {
        func count(_ index: Int) -> Int { numbers.indices.contains(index) ? Int(exactly: numbers[index]) ?? 0 : 0 }
        func seconds(_ index: Int) -> Double { numbers.indices.contains(index) ? numbers[index] : 0 }
        self.init(
            input: Input(totalTokenCount: count(0), cachedTokenCount: count(1), droppedTokenCount: count(8)),
            output: Output(
                totalTokenCount: count(2), reasoningTokenCount: count(3), forcedTokenCount: count(4),
                droppedTokenCount: count(9)),
            prefillSeconds: seconds(5), timeToFirstToken: seconds(6), decodeSeconds: seconds(7))
    }
}
