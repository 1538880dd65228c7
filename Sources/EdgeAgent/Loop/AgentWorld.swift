internal import EdgePlatform

/// All that an agent does not decide by itself. Where two runs get the same from their worlds, they are the same, byte by byte.
protocol AgentWorld: Sendable {
    /// Looks for passages.
    ///
    /// - Throws: `CancellationError`.
    func search(_ question: String, control: RunControl) async throws -> AgentRecord.Search

    /// Whether the time is over before the model speaks for so many times.
    func isTimeOver(seconds: Double, draft: Int) -> Bool

    /// What is known already of what the model will write.
    func plan(draft: Int) -> AgentPlan

    /// Whether a call is made.
    ///
    /// - Throws: `CancellationError`.
    func approval(of call: AgentCall, rule: ToolRule, control: RunControl) async throws -> (
        isApproved: Bool, reason: String
    )

    /// Makes a call.
    ///
    /// - Throws: `CancellationError`.
    func output(of call: AgentCall, rule: ToolRule) async throws -> AgentOutput
}

/// What is known of what a model will write.
struct AgentPlan: Sendable {
    /// The tokens that it is expected to write.
    var expected: [Int32] = []
    /// Where the time was over, if it was.
    var cut: Int?
}

/// Stops what goes on in a run.
final class RunControl: Sendable {
    private struct State {
        var isInterrupted = false
        var cancel: (@Sendable () -> Void)?
    }

    private let state = Lock(State())

    /// Whether the run is to end at its next checkpoint.
    var isInterrupted: Bool { state.withLock { $0.isInterrupted } }

    /// Ends the run at its next checkpoint, and at once what can be begun again.
    func interrupt() {
        state.withLock { state in
            state.isInterrupted = true
            return state.cancel
        }?()
    }

    /// Says how what goes on is stopped; nil where it is not.
    func register(_ cancel: (@Sendable () -> Void)?) {
        let isInterrupted = state.withLock { state in
            state.cancel = cancel
            return state.isInterrupted
        }
        if isInterrupted { cancel?() }
    }
}

extension ToolRule {
    /// What the model is told where a call is not made or fails.
    func failure(of call: AgentCall, because reason: String) -> String {
        let reason = AgentText.line(reason)
        guard let failureForm else { return "Error: \(reason)" }
        var text = ""
        var rest = failureForm[...]
        let content = try? GeneratedContent(json: call.arguments)
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            text += rest[..<open]
            let name = String(rest[rest.index(after: open)..<close])
            if name == "reason" {
                text += reason
            } else if case .structure(let members, _)? = content?.kind, let value = members[name] {
                if case .string(let words) = value.kind { text += words } else { text += value.jsonString }
            }
            rest = rest[rest.index(after: close)...]
        }
        return text + rest
    }
}

/// The world as it is: a retriever, tools and somebody who approves.
struct LiveWorld: AgentWorld {
    let tools: [String: any Tool]
    let retriever: (any Retriever)?
    let options: AgentOptions
    let approve: (@Sendable (AgentCall) async -> AgentApproval)?
    let hanging: HangingCalls

    func search(_ question: String, control: RunControl) async throws -> AgentRecord.Search {
        func found(_ passages: [ScoredPassage], failure: String? = nil) -> AgentRecord.Search {
            .init(passages: passages, omitted: 0, failure: failure)
        }
        guard let retriever, options.limits.passages > 0 else { return found([]) }
        let limit = options.limits.passages
        defer { control.register(nil) }
        do {
            let passages = try await Deadline.run(
                seconds: options.limits.searchSeconds, cancels: { control.register($0) }
            ) { try await retriever.passages(for: question, limit: limit) }
            guard let passages else {
                return found(
                    [], failure: "the search took longer than \(AgentText.number(options.limits.searchSeconds)) s")
            }
            return found(Array(passages.prefix(limit)))
        } catch {
            if Task.isCancelled || control.isInterrupted { throw CancellationError() }
            return found(
                [], failure: AgentText.harmless(AgentText.line("\(error)"), limit: options.limits.outputBytes))
        }
    }

    func isTimeOver(seconds: Double, draft: Int) -> Bool { seconds >= options.limits.seconds }

    func plan(draft: Int) -> AgentPlan { AgentPlan() }

    func approval(
        of call: AgentCall, rule: ToolRule, control: RunControl
    ) async throws -> (isApproved: Bool, reason: String) {
        guard let approve else { return (false, "nobody is there to approve it") }
        defer { control.register(nil) }
        let answer = try await Deadline.run(
            seconds: options.limits.approvalSeconds, cancels: { control.register($0) }
        ) { () async throws -> AgentApproval in
            let answer = await approve(call)
            // An answer that came because the run was stopped is none.
            try Task.checkCancellation()
            return answer
        }
        switch answer {
        case .approve?: return (true, "")
        case .deny(let reason)?: return (false, reason ?? rule.denial)
        case nil: return (false, "nobody approved it within \(AgentText.number(options.limits.approvalSeconds)) s")
        }
    }

    func output(of call: AgentCall, rule: ToolRule) async throws -> AgentOutput {
        func failed(_ outcome: AgentOutput.Outcome, _ reason: String) -> AgentOutput {
            AgentOutput(
                call: call,
                text: AgentText.harmless(rule.failure(of: call, because: reason), limit: options.limits.outputBytes),
                outcome: outcome)
        }
        guard let tool = tools[call.tool], let content = try? GeneratedContent(json: call.arguments) else {
            return failed(.invalid, "there is no tool \(call.tool)")
        }
        let seconds = rule.seconds ?? options.limits.callSeconds
        let thread: TaskThread
        guard hanging.begin() else {
            return failed(.skipped, "\(HangingCalls.limit) earlier calls have not come back")
        }
        do {
            thread = try TaskThread()
        } catch {
            hanging.end()
            return failed(.failed, "no thread for the call: \(error)")
        }
        let hanging = hanging
        do {
            let text = try await Deadline.run(seconds: seconds, on: thread) {
                defer { hanging.end() }
                return try await tool.called(with: content)
            }
            guard let text else { return failed(.timedOut, "timed out after \(AgentText.number(seconds)) s") }
            let said = AgentText.harmless(text, limit: options.limits.outputBytes)
            guard said.contains(where: { !$0.isWhitespace }) else { return failed(.failed, "the tool said nothing") }
            let isFailure = options.failureMarks.contains { !$0.isEmpty && said.contains($0) }
            return AgentOutput(call: call, text: said, outcome: isFailure ? .failed : .answered)
        } catch {
            if Task.isCancelled { throw CancellationError() }
            return failed(.failed, "the tool failed: \(error)")
        }
    }
}

/// What becomes of a call that has to be approved.
public enum AgentApproval: Sendable, Hashable {
    /// It is made.
    case approve
    /// It is not, and the model is told why; nil for the reason of the tool's rule.
    case deny(String? = nil)
}

/// Counts the calls that have not come back: each keeps a thread.
final class HangingCalls: Sendable {
    static let limit = 16
    private let count = Lock(0)

    /// Counts one more; false where there are too many.
    func begin() -> Bool {
        count.withLock { count in
            guard count < Self.limit else { return false }
            count += 1
            return true
        }
    }

    func end() { count.withLock { $0 -= 1 } }
}
