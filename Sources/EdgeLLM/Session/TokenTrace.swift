internal import EdgeEngine
internal import EdgePlatform
internal import EdgeTemplate

/// So many tokens in a row of one origin.
package struct OriginRun: Sendable, Hashable {
    /// Where they come from.
    package var origin: Transcript.Origin
    /// How many they are.
    package var count: Int

    package init(_ origin: Transcript.Origin, count: Int) {
        self.origin = origin
        self.count = count
    }

    /// - Parameter codes: of each token; 0 for what the vocabulary put there.
    static func runs(of codes: [UInt8]) -> [OriginRun] {
        var runs: [OriginRun] = []
        for code in codes {
            let origin = Transcript.Origin(code: code) ?? .system
            if runs.last?.origin == origin {
                runs[runs.count - 1].count += 1
            } else {
                runs.append(OriginRun(origin, count: 1))
            }
        }
        return runs
    }
}

/// What a model from a file reads and writes in one round, token by token; written by the executor, read when it has returned.
package final class TokenTrace: Sendable {
    private struct State {
        var prompt: [Int32] = []
        var origins: [OriginRun] = []
        var output: [Int32] = []
    }

    private let state = Lock(State())
    /// Tokens that the answer is expected to have, from its beginning. They are drafts: run several at a time and then compared with what
    /// is chosen, so they change the time that the answer takes and no token of it.
    package let expected: [Int32]

    package init(expecting expected: [Int32] = []) { self.expected = expected }

    /// The ids of the prompt.
    package var prompt: [Int32] { state.withLock { $0.prompt } }
    /// Where they come from.
    package var origins: [OriginRun] { state.withLock { $0.origins } }
    /// The ids that were written, the one that ends the answer included.
    package var output: [Int32] { state.withLock { $0.output } }

    func begin(_ prompt: [Int32], _ origins: [OriginRun]) {
        state.withLock { $0 = State(prompt: prompt, origins: origins) }
    }

    func append(_ token: Int32) { state.withLock { $0.output.append(token) } }
}

extension GGUFLanguageModel {
    /// A number that tells the model's files from those of others: of the header, and of some bytes of each tensor.
    package var fingerprint: UInt64 { engine.fingerprint }

    /// How the cache stores keys and values, which changes bits.
    package var cachePrecision: CachePrecision { options.cachePrecision }

    /// The chat template that was given at loading; nil for the file's own.
    package var givenTemplate: String? { options.chatTemplate }
}

extension GGUFLanguageModel.Executor {
    /// An executor for which time stands still, as templates write the date.
    ///
    /// - Parameter moment: year, month, day, hour, minute and second; what is missing is taken as the earliest.
    package convenience init(configuration: Configuration, moment: [Int]) {
        func part(_ index: Int, _ least: Int) -> Int { moment.indices.contains(index) ? moment[index] : least }
        self.init(
            configuration: configuration,
            now: .init(
                year: part(0, 1970), month: part(1, 1), day: part(2, 1), hour: part(3, 0), minute: part(4, 0),
                second: part(5, 0)),
            context: nil)
    }
}
