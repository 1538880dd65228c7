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
                reading: source.reading(), base: source.turn.ticks.makeAsyncIterator(),
                stages: ResponseStages(form, id: id))
        }

        /// Reads snapshots.
        public struct AsyncIterator: AsyncIteratorProtocol {
            let reading: TurnReading
            var base: AsyncThrowingStream<Void, any Swift.Error>.AsyncIterator
            var stages: ResponseStages

            /// The next snapshot; nil after the last.
            ///
            /// - Throws: `LanguageModelError`, `LanguageModelSession.Error`, `CancellationError`.
            public mutating func next(
                isolation actor: isolated (any Actor)? = #isolation
            ) async throws(any Swift.Error) -> Snapshot? {
                while try await base.next(isolation: actor) != nil {
                    guard let raw = stages.next(of: reading.turn), let content = try? Content.PartiallyGenerated(raw)
                    else { continue }
                    return Snapshot(content: content, rawContent: raw)
                }
                try reading.turn.checkEnd()
                return nil
            }
        }

        /// Tokens and time of an answer that has ended, whole or cut; nil before, and where the model failed.
        package var usage: Usage? { source.turn.finished?.usage }

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
                while let signal = try await base.nextSignal(isolation: actor) {
                    if case .event(.text(let text)) = signal { return text }
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
        /// A call that the model is writing: all that there is of it so far, from when its name is known. `toolCall` with the same id
        /// follows. As of snapshots, a slow reader skips stages, all of them where a call is written faster than it is read.
        case partialToolCall(PartialToolCall)
        /// A tool that the model calls, once the call is whole.
        case toolCall(Transcript.ToolCall)
        /// What came of a call; in the order of the calls.
        case toolOutput(Transcript.ToolOutput)
        /// Tokens and time of the whole answer.
        case usage(Usage)
        /// The end, and why.
        case finished(FinishReason)
    }

    /// A call while its arguments are being written.
    public struct PartialToolCall: Sendable, Equatable, Identifiable {
        /// The name that the whole call will have.
        public var id: String
        /// The tool that is called. There may be none of this name: that is said in the call's output.
        public var toolName: String
        /// The arguments so far, an object, without what may still change; `isComplete` is false on all that is open. Of a tool whose
        /// arguments are `Generable`, they make a `PartiallyGenerated`.
        public var arguments: GeneratedContent
    }

    /// Everything that happens while an answer is being written, in order; nothing is lost but stages of calls that grow. One reader, as
    /// of `ResponseStream`.
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
            var base: AsyncThrowingStream<Turn.Signal, any Swift.Error>.AsyncIterator
            /// Calls that are being written, as far as they were read.
            private var open: [String: (seen: Int, arguments: PartialContent)] = [:]

            init(reading: TurnReading, base: AsyncThrowingStream<Turn.Signal, any Swift.Error>.AsyncIterator) {
                self.reading = reading
                self.base = base
            }

            /// The next event; nil after the last.
            ///
            /// - Throws: as the snapshots do.
            public mutating func next(
                isolation actor: isolated (any Actor)? = #isolation
            ) async throws(any Swift.Error) -> Event? {
                while let signal = try await nextSignal(isolation: actor) {
                    switch signal {
                    case .event(let event):
                        if case .toolCall(let call) = event { open[call.id] = nil }
                        return event
                    case .progress(let id): if let call = stage(of: id) { return .partialToolCall(call) }
                    }
                }
                return nil
            }

            mutating func nextSignal(
                isolation actor: isolated (any Actor)?
            ) async throws(any Swift.Error) -> Turn.Signal? {
                if let signal = try await base.next(isolation: actor) { return signal }
                try reading.turn.checkEnd()
                return nil
            }

            /// What there is of a call; nil where it is whole by now, or no object.
            private mutating func stage(of id: String) -> PartialToolCall? {
                guard let (name, more) = reading.turn.progress(of: id, from: open[id]?.seen ?? 0) else { return nil }
                var call = open.removeValue(forKey: id) ?? (0, PartialContent(id: GenerationID()))
                call.seen += more.utf8.count
                call.arguments.append(more)
                let content =
                    call.seen > 0
                    ? call.arguments.content : GeneratedContent(.structure([:], []), isComplete: false)
                open[id] = call
                return content.map { PartialToolCall(id: id, toolName: name, arguments: $0) }
            }
        }
    }
}

extension LanguageModelSession.Response: Sendable where Content: Sendable {}
extension LanguageModelSession.ResponseStream.Snapshot: Sendable where Content.PartiallyGenerated: Sendable {}
