extension LanguageModelSession {
    /// A whole answer.
    public struct Response<Content: Sendable>: Sendable {
        /// What the model said, without its reasoning; where it also spoke before it called tools, that is a paragraph of its own.
        public let content: Content
        /// What the answer added to the transcript after the prompt: reasoning, calls of tools and their outputs, if there were any, and the
        /// response.
        public let transcriptEntries: ArraySlice<Transcript.Entry>
        /// Tokens and time it took.
        public let usage: Usage
        /// Why it ended; `maximumTokens` means that it is cut.
        public let finishReason: FinishReason
    }

    /// An answer as it is being written: snapshots of all that there is so far.
    ///
    /// Generation begins when the stream is made. A slow reader skips stages, and the last snapshot is the whole answer; for every
    /// piece, see `textDeltas`. One reader: leaving the loop, dropping the stream and cancelling the task all end the generation,
    /// and the session is free again at once.
    public struct ResponseStream<Content: Sendable>: AsyncSequence, Sendable {
        /// A stage of the answer.
        public typealias Element = Snapshot

        /// All of the content that there is so far.
        public struct Snapshot: Sendable {
            /// The content.
            public var content: Content
        }

        let source: TurnSource
        let read: @Sendable (String) -> Content

        init(_ turn: Turn, read: @escaping @Sendable (String) -> Content) {
            source = TurnSource(turn)
            self.read = read
        }

        /// The iterator.
        public func makeAsyncIterator() -> AsyncIterator {
            AsyncIterator(reading: source.reading(), base: source.turn.ticks.makeAsyncIterator(), read: read)
        }

        /// Reads snapshots.
        public struct AsyncIterator: AsyncIteratorProtocol {
            let reading: TurnReading
            var base: AsyncThrowingStream<Void, any Swift.Error>.AsyncIterator
            let read: @Sendable (String) -> Content
            /// Bytes of content handed out.
            var seen = 0

            /// The next snapshot; nil after the last.
            ///
            /// - Throws: `LanguageModelError`, `LanguageModelSession.Error`, `CancellationError`.
            public mutating func next(
                isolation actor: isolated (any Actor)? = #isolation
            ) async throws(any Swift.Error) -> Snapshot? {
                while try await base.next(isolation: actor) != nil {
                    let content = reading.turn.content
                    guard content.utf8.count > seen else { continue }
                    seen = content.utf8.count
                    return Snapshot(content: read(content))
                }
                try reading.turn.checkEnd()
                return nil
            }
        }

        /// The answer piece by piece: whole characters, nothing lost, nothing twice. To be read instead of the snapshots.
        public var textDeltas: TextDeltas { TextDeltas(source: source) }

        /// Waits for the end and returns the whole.
        ///
        /// - Throws: what the iteration throws.
        public nonisolated(nonsending) func collect() async throws -> Response<Content> {
            var iterator = makeAsyncIterator()
            do {
                while try await iterator.next() != nil {}
            } catch is CancellationError {
                // An answer that was whole before the task was cancelled is in the transcript, so it is returned.
            }
            switch source.turn.outcome {
            case .success(let outcome):
                return Response(
                    content: read(source.turn.content), transcriptEntries: outcome.entries, usage: outcome.usage,
                    finishReason: outcome.finishReason)
            case .failure(let error): throw error
            case nil: throw CancellationError()
            }
        }
    }

    /// The text of an answer, piece by piece.
    public struct TextDeltas: AsyncSequence, Sendable {
        /// A piece of text.
        public typealias Element = String

        let source: TurnSource

        /// The iterator.
        public func makeAsyncIterator() -> AsyncIterator {
            AsyncIterator(base: EventStream(source: source).makeAsyncIterator())
        }

        /// Reads pieces.
        public struct AsyncIterator: AsyncIteratorProtocol {
            var base: EventStream.AsyncIterator

            /// The next piece; nil after the last.
            ///
            /// - Throws: as the snapshots do.
            public mutating func next(
                isolation actor: isolated (any Actor)? = #isolation
            ) async throws(any Swift.Error) -> String? {
                while let event = try await base.next(isolation: actor) {
                    if case .text(let text) = event { return text }
                }
                return nil
            }
        }
    }

    /// What happens while an answer is being written. `usage` and `finished` come last.
    public enum Event: Sendable, Equatable {
        /// A piece of the answer.
        case text(String)
        /// A piece of what the model thinks before it answers.
        case reasoning(String)
        /// A tool that the model calls, once the call is whole.
        case toolCall(Transcript.ToolCall)
        /// What came of a call; in the order of the calls.
        case toolOutput(Transcript.ToolOutput)
        /// Tokens and time of the whole answer.
        case usage(Usage)
        /// The end, and why.
        case finished(FinishReason)
    }

    /// Everything that happens while an answer is being written, in order and without loss. One reader, as of `ResponseStream`.
    public struct EventStream: AsyncSequence, Sendable {
        /// A piece of text or thought, or how it ended.
        public typealias Element = Event

        let source: TurnSource

        /// The iterator.
        public func makeAsyncIterator() -> AsyncIterator {
            AsyncIterator(reading: source.reading(), base: source.turn.events.makeAsyncIterator())
        }

        /// Reads events.
        public struct AsyncIterator: AsyncIteratorProtocol {
            let reading: TurnReading
            var base: AsyncThrowingStream<Event, any Swift.Error>.AsyncIterator

            /// The next event; nil after the last.
            ///
            /// - Throws: as the snapshots do.
            public mutating func next(
                isolation actor: isolated (any Actor)? = #isolation
            ) async throws(any Swift.Error) -> Event? {
                if let event = try await base.next(isolation: actor) { return event }
                try reading.turn.checkEnd()
                return nil
            }
        }
    }
}
