internal import EdgePlatform

extension LanguageModelSession {
    /// A call that was decided on.
    private enum Step: Sendable {
        case output(String)
        case call(any Tool, GeneratedContent)
    }

    /// What comes of the calls of a round, in their order, as the model was told of the tools; nil where the program ends the turn instead. They run at the same time.
    ///
    /// - Throws: `ToolCallError` of the first tool that fails, unless the model is to be told; `CancellationError`, at once, even where
    ///   a tool does not heed its cancellation.
    func outputs(
        of calls: [Turn.PendingCall], for definitions: [Transcript.ToolDefinition]
    ) async throws -> [Transcript.ToolOutput]? {
        let (approval, policy) = state.withLock { ($0.approval, $0.failurePolicy) }
        var steps: [Step] = []
        for pending in calls {
            let step = step(for: pending, definitions)
            guard case .call = step, let approval else {
                steps.append(step)
                continue
            }
            try Task.checkCancellation()
            switch await approval(pending.call) {
            case .execute: steps.append(step)
            case .deny(let reason): steps.append(.output("Error: the call was not allowed: \(reason)"))
            case .provide(let text): steps.append(.output(text))
            case .stop: return nil
            }
        }
        let texts = try await texts(of: steps, policy)
        return zip(calls, texts).map { pending, text in
            Transcript.ToolOutput(callID: pending.call.id, toolName: pending.call.toolName, segments: .text(text))
        }
    }

    /// A call the tool for which is not there, or whose arguments cannot be read, is answered with the reason.
    private func step(for pending: Turn.PendingCall, _ definitions: [Transcript.ToolDefinition]) -> Step {
        let call = pending.call
        // Where tools are not allowed the model was told of none, and makes no call, whatever it was talked into.
        guard let tool = tools.first(where: { $0.name == call.toolName }),
            definitions.contains(where: { $0.name == call.toolName })
        else {
            let names = definitions.map(\.name).joined(separator: ", ")
            return .output(
                names.isEmpty
                    ? "Error: no tool may be called now"
                    : "Error: there is no tool \"\(call.toolName)\"; the tools are \(names)")
        }
        guard pending.isWhole else { return .output("Error: the arguments are no whole JSON object") }
        do {
            let content = try GeneratedContent(json: call.arguments)
            let schema = try definitions.first { $0.name == call.toolName }?.parameters.jsonSchema()
            guard schema.map({ ToolGrammar.accepts(call.arguments, schema: $0) }) != false else {
                return .output("Error: the arguments are not what the schema of \(tool.name) describes")
            }
            return .call(tool, content)
        } catch {
            return .output("Error: the arguments cannot be read: \(error)")
        }
    }

    private func texts(of steps: [Step], _ policy: ToolFailurePolicy) async throws -> [String] {
        let (results, continuation) = AsyncStream.makeStream(
            of: (index: Int, result: Result<String, any Swift.Error>).self)
        var texts = [String?](repeating: nil, count: steps.count)
        var tasks: [Task<Void, Never>] = []
        defer { for task in tasks { task.cancel() } }
        for (index, step) in steps.enumerated() {
            switch step {
            case .output(let text): texts[index] = text
            case .call(let tool, let content):
                tasks.append(
                    Task {
                        let result: Result<String, any Swift.Error>
                        do { result = .success(try await tool.called(with: content)) } catch {
                            result = .failure(error)
                        }
                        continuation.yield((index, result))
                    })
            }
        }
        var open = tasks.count
        var iterator = results.makeAsyncIterator()
        // A stream ends for a task that is cancelled, so nothing is waited for then.
        while open > 0, let (index, result) = await iterator.next() {
            open -= 1
            switch result {
            case .success(let text): texts[index] = text
            case .failure(let error):
                try Task.checkCancellation()
                guard case .call(let tool, _) = steps[index] else { continue }
                guard policy == .reportToModel else { throw ToolCallError(tool: tool, underlyingError: error) }
                texts[index] = "Error: the tool failed: \(error)"
            }
        }
        try Task.checkCancellation()
        return texts.map { $0 ?? "" }
    }
}
