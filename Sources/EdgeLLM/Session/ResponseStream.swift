extension LanguageModelSession {
    /// A whole answer.
    public struct Response<Content: Generable> {
        /// What the model said, without its reasoning; where it also spoke before it called tools, that is a paragraph of its own.
        public let content: Content
        /// The content as it was generated: of a text the text, else the JSON with its properties in order.
        public let rawContent: GeneratedContent
        /// What the answer added to the transcript after the prompt: reasoning, calls of tools and their outputs, if there were any,
        /// and the response.
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
    public struct ResponseStream<Content: Generable>: AsyncSequence, Sendable {
        /// A stage of the answer.
        public typealias Element = Snapshot

        /// All of the content that there is so far.
        public struct Snapshot {
            /// The content; of a type, what is known of it. Stages that make no value of it yet are passed over.
            public var content: Content.PartiallyGenerated
            /// The content as it was generated, without what may still change.
            public var rawContent: GeneratedContent
        }

        let source: TurnSource
        let form: ResponseForm
        let id = GenerationID()

        init(_ turn: Turn, form: ResponseForm) {
            source = TurnSource(turn)
            self.form = form
        }

        /// The iterator.
        public func makeAsyncIterator() -> AsyncIterator {
            AsyncIterator(
                reading: source.reading(), base: source.turn.ticks.makeAsyncIterator(), form: form, id: id)
        }

        /// Reads snapshots.
        public struct AsyncIterator: AsyncIteratorProtocol {
            let reading: TurnReading
            var base: AsyncThrowingStream<Void, any Swift.Error>.AsyncIterator
            let form: ResponseForm
            let id: GenerationID
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
                    guard let raw = form.raw(content, id: id), let content = try? Content.PartiallyGenerated(raw) else {
                        continue
                    }
                    return Snapshot(content: content, rawContent: raw)
                }
                try reading.turn.checkEnd()
                return nil
            }
        }

        /// The answer piece by piece: whole characters, nothing lost, nothing twice. To be read instead of the snapshots.
        public var textDeltas: TextDeltas { TextDeltas(source: source) }

        /// Waits for the end and returns the whole.
        ///
        /// - Throws: what the iteration throws; `LanguageModelError.incompleteContent` where a typed answer was cut.
        public nonisolated(nonsending) func collect() async throws -> Response<Content> {
            var iterator = makeAsyncIterator()
            do {
                // Stages are not looked at, so none is read.
                while try await iterator.base.next() != nil {}
                try iterator.reading.turn.checkEnd()
            } catch is CancellationError {
                // An answer that was whole before the task was cancelled is in the transcript, so it is returned.
            }
            switch source.turn.outcome {
            case .success(let outcome):
                let raw = try form.whole(source.turn.content, id: id)
                return Response(
                    content: try Content(raw), rawContent: raw, transcriptEntries: outcome.entries,
                    usage: outcome.usage,
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

extension LanguageModelSession.Response: Sendable where Content: Sendable {}
extension LanguageModelSession.ResponseStream.Snapshot: Sendable where Content.PartiallyGenerated: Sendable {}
