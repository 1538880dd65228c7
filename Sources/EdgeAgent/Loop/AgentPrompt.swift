/// The conversation that a model is given, each text with where it comes from.
enum AgentPrompt {
    /// What a passage stands under; the name of its document where it has no headings.
    static func headings(_ passage: Passage) -> [String] {
        passage.headings.isEmpty ? [passage.source] : passage.headings
    }

    /// The user's message: the passages, numbered, then the question.
    static func message(_ question: String, passages: [ScoredPassage]) -> [Transcript.Segment] {
        var segments: [Transcript.Segment] = []
        func add(_ text: String, _ origin: Transcript.Origin) {
            segments.append(.text(.init(content: text, origin: origin)))
        }
        for (index, found) in passages.enumerated() {
            let passage = found.passage
            add("[\(index + 1)] ", .system)
            add(AgentText.line(headings(passage).joined(separator: " > ")), .document)
            add("\n", .system)
            add(AgentText.line(passage.text), .document)
            add("\n", .system)
        }
        add(passages.isEmpty ? "Question: " : "\nQuestion: ", .system)
        add(question, .user)
        return segments
    }

    /// The whole of it. Its entries have names of their own, the same each time.
    static func transcript(_ options: AgentOptions, _ memory: AgentCheckpoint) -> Transcript {
        var entries: [Transcript.Entry] = []
        func id() -> String { "entry\(entries.count)" }
        entries.append(.instructions(.init(id: id(), segments: .text(options.instructions))))
        for turn in memory.history {
            entries.append(.prompt(.init(id: id(), segments: message(turn.question, passages: []))))
            entries.append(.response(.init(id: id(), segments: .text(turn.answer), finishReason: .endOfTurn)))
        }
        entries.append(.prompt(.init(id: id(), segments: message(memory.question, passages: memory.passages))))
        for round in memory.rounds {
            if !round.thought.isEmpty { entries.append(.reasoning(.init(id: id(), segments: .text(round.thought)))) }
            if !round.words.isEmpty { entries.append(.response(.init(id: id(), segments: .text(round.words)))) }
            entries.append(
                .toolCalls(
                    .init(
                        id: id(),
                        calls: round.calls.map { .init(id: $0.id, toolName: $0.tool, arguments: $0.arguments) })))
            for output in round.outputs {
                entries.append(
                    .toolOutput(
                        .init(
                            id: id(), callID: output.call.id, toolName: output.call.tool, segments: .text(output.text)))
                )
            }
        }
        return Transcript(entries: entries)
    }
}

extension Transcript.Entry {
    /// The texts of the entry, and where they come from.
    var spans: [(origin: Transcript.Origin, text: String)] {
        func spans(_ segments: [Transcript.Segment], _ own: Transcript.Origin) -> [(Transcript.Origin, String)] {
            segments.map { segment in
                switch segment {
                case .text(let segment): (segment.origin ?? own, segment.content)
                }
            }
        }
        return switch self {
        case .instructions(let entry): spans(entry.segments, .system)
        case .prompt(let entry): spans(entry.segments, .user)
        case .reasoning(let entry): spans(entry.segments, .model)
        case .toolCalls(let entry): entry.calls.map { (.model, "\($0.toolName) \($0.arguments)") }
        case .toolOutput(let entry): spans(entry.segments, .tool)
        case .response(let entry): spans(entry.segments, .model)
        }
    }
}
