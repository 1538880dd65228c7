internal import EdgeEngine
package import EdgePlatform
internal import EdgeTokenizer

/// How an answer from passages may use what was computed of these passages in other prompts.
///
/// What a prompt begins with is always reused where it is known, to the same bits. A passage that stands elsewhere than where it was
/// computed is another matter: its keys can be turned to the new positions, but its tokens knew nothing of the passages that stand before
/// them now. With this option, which is off unless it is given, such passages are moved, and a share of their tokens is computed anew; the
/// answer is close to that of the whole prompt, and not the same. How close is measured on the prompt itself, by computing it whole too, and
/// an answer that is too far from it is given from the whole prompt.
///
/// ```swift
/// var options = GenerationOptions()
/// options.local.groundingReuse = GroundingReuse(recomputedShare: 0.15)
/// let response = try await session.respond(to: "What pressure do the tyres need?", grounding: store, options: options)
/// print(response.usage.input.groundingReuse?.divergence ?? "not measured")
/// ```
///
/// Passages come from the model's `LoadOptions.pack` and `LoadOptions.prefixStore`; ``GGUFLanguageModel/savePassage(_:in:adapters:)`` puts them
/// there. Models with windows, with layers that turn no keys, or with learned positions compute the whole prompt, and say so.
public struct GroundingReuse: Sendable, Equatable, Codable {
    /// Which tokens of a passage are computed anew.
    public enum Selection: String, Sendable, Equatable, Codable, CaseIterable {
        /// The first ones. Costs nothing to choose.
        case first
        /// Those that differ most in the second layer from what the whole prompt gives there, of all passages. The first layer is computed of
        /// all tokens for that.
        case farthest
    }

    /// The share of the passages' tokens that is computed anew, 0 to 1. With 1 nothing is gained, and the bits are those of the whole prompt.
    public var recomputedShare: Double
    /// Which tokens these are.
    public var selection: Selection
    /// How far the next token's probabilities may be from those of the whole prompt: their Kullback-Leibler divergence, in nats. Where they are
    /// measured to be farther, the answer is given from the whole prompt.
    public var divergenceLimit: Double
    /// One of so many prompts of a model is measured, the first to begin with, which costs the time of the whole prompt; 1 for all, 0 for
    /// none. After a prompt beyond the limit each is measured until one is within it.
    public var measuredEvery: Int
    /// The passages' texts, in the order of the prompt; whoever writes the prompt, or the text of a completion, says what they are.
    /// `respond(to:grounding:)` does.
    public var passages: [String]

    /// How passages are reused.
    public init(
        recomputedShare: Double = 0.15, selection: Selection = .first, divergenceLimit: Double = 0.1,
        measuredEvery: Int = 16, passages: [String] = []
    ) {
        self.recomputedShare = recomputedShare
        self.selection = selection
        self.divergenceLimit = divergenceLimit
        self.measuredEvery = measuredEvery
        self.passages = passages
    }

    /// What became of a prompt's passages.
    public struct Report: Sendable, Equatable, Codable {
        /// Passages that were found in the prompt, and those of them that were known and moved.
        public var passageCount: Int
        /// Passages that were known and moved.
        public var movedPassageCount: Int
        /// Tokens whose keys and values were moved.
        public var reusedTokenCount: Int
        /// Tokens of moved passages that were computed anew.
        public var recomputedTokenCount: Int
        /// The divergence of the next token's probabilities from those of the whole prompt, in nats; nil where it was not measured.
        public var divergence: Double?
        /// Whether the answer is given from the whole prompt, as the divergence was beyond the limit.
        public var isRejected: Bool
        /// Why nothing could be moved, in one line; nil where it could, or no passage was known.
        public var obstacle: String?
    }

    /// - Throws: `LanguageModelError.invalidOptions`.
    func request(for prompt: [Int32], _ tokenizer: Tokenizer) throws(LanguageModelError) -> PassageReuse {
        guard (0...1).contains(recomputedShare), divergenceLimit >= 0, measuredEvery >= 0 else {
            throw .invalidOptions(
                "passages can be reused with a share of 0 to 1, a limit of 0 or more, and one in 0 or more measured")
        }
        return PassageReuse(
            spans: PassageSpans(prompt, tokenizer).spans(of: passages), share: recomputedShare,
            selection: selection == .first ? .first : .farthest, limit: divergenceLimit, interval: measuredEvery)
    }
}

extension GroundingReuse.Report {
    init(_ outcome: PassageReuse.Outcome) {
        self.init(
            passageCount: outcome.passageCount, movedPassageCount: outcome.movedPassageCount,
            reusedTokenCount: outcome.reusedTokenCount, recomputedTokenCount: outcome.recomputedTokenCount,
            divergence: outcome.divergence, isRejected: outcome.isRejected, obstacle: outcome.obstacle)
    }
}

/// Where texts stand in a prompt, in tokens.
struct PassageSpans {
    private var bytes: [UInt8] = []
    /// By token, the byte at which it begins; and the end.
    private var starts: [Int] = []

    init(_ tokens: [Int32], _ tokenizer: Tokenizer) {
        starts.reserveCapacity(tokens.count + 1)
        for token in tokens {
            starts.append(bytes.count)
            bytes += tokenizer.bytes(of: token)
        }
        starts.append(bytes.count)
    }

    /// The tokens that lie wholly within each of some texts, which come one after another; texts that are not there are left out.
    func spans(of texts: [String]) -> [Range<Int>] {
        var spans: [Range<Int>] = []
        var position = 0
        for text in texts {
            let wanted = Array(text.utf8)
            guard !wanted.isEmpty, let range = bytes[position...].firstRange(of: wanted) else { continue }
            position = range.upperBound
            // The first token that begins there, and the last that ends there. Tokens without bytes within count for it.
            let first = starts.partitionIndex { $0 >= range.lowerBound }
            let last = starts.partitionIndex { $0 > range.upperBound } - 1
            if first < last { spans.append(first..<last) }
        }
        return spans
    }
}

extension [Int] {
    /// The index of the first element of an ascending list that is so; the list's end where none is.
    fileprivate func partitionIndex(where isSo: (Int) -> Bool) -> Int {
        var (lower, upper) = (0, count)
        while lower < upper {
            let middle = (lower + upper) / 2
            if isSo(self[middle]) { upper = middle } else { lower = middle + 1 }
        }
        return lower
    }
}

extension GGUFLanguageModel {
    /// Computes a prompt as far as a passage in it and saves the passage's keys and values in the model's `LoadOptions.prefixStore`, for prompts that
    /// have it anywhere (``GroundingReuse``), and those of what stands before it, for prompts that begin alike.
    ///
    /// - Parameters:
    ///   - passage: a text that stands in the prompt.
    ///   - prompt: what is said to a model; best with nothing before the passage but what all such prompts begin with.
    /// - Returns: false where the passage does not stand there as it is, as the template changed it, or is too short to be worth it.
    /// - Throws: `SavedStateError` with code `unwritable` where it cannot be saved, or where this model's keys cannot be moved;
    ///   `LanguageModelError`.
    @discardableResult
    public nonisolated(nonsending) func savePassage(
        _ passage: String, in prompt: String, adapters: [LoRAAdapter] = []
    ) async throws -> Bool {
        let tokens = try promptTokens(for: prompt).compactMap { Int32(exactly: $0) }
        guard let span = PassageSpans(tokens, engine.tokenizer).spans(of: [passage]).first,
            span.count >= GroundingReuse.leastTokenCount
        else { return false }
        do {
            try await engine.savePassage(span, of: tokens, adapters: adapters.map(\.applied))
            return true
        } catch let error as SavedContextError {
            throw SavedStateError(error)
        } catch {
            throw LanguageModelError.translate(error)
        }
    }

    /// The section of a knowledge pack that says which model its keys and values are of, and the files of the model's
    /// `LoadOptions.prefixStore` with them, each a section too.
    package var packedSections: (origin: (name: String, bytes: ByteView), files: [(name: String, path: String)]) {
        let (origin, files) = engine.packedSections(modelName: metadata.name ?? metadata.architecture)
        return ((PackedContexts.originSection, ByteView(origin)), files)
    }

    /// Sections of the model's `LoadOptions.pack` that turned out to be damaged so far, by name. What they hold is computed instead.
    public var damagedPackSections: [String] { engine.pack?.damagedSections ?? [] }
}

/// What a knowledge pack has of a model.
package struct PackedModel: Sendable {
    /// The model's own name.
    package let name: String
    /// Beginnings of prompts and passages whose keys and values are in the pack.
    package let beginningCount: Int
    package let passageCount: Int

    /// - Throws: `SectionFileError.damaged`; nil is returned for a pack without a model.
    package init?(_ file: SectionFile) throws(SectionFileError) {
        guard let contexts = try PackedContexts.open(file) else { return nil }
        name = contexts.modelName
        (beginningCount, passageCount) = contexts.counts
    }
}

extension GroundingReuse {
    /// Tokens of a passage that are worth a file.
    static let leastTokenCount = 32
}
