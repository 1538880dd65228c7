import Foundation
import Synchronization
import Testing

@testable import EdgeAgent

@Suite("Interrupting and going on") struct CheckpointTests {
    private func agent(_ log: AgentLog, seed: UInt64 = 3) throws -> Agent {
        let tool = try TestTool("read_signal", schema: TestTool.signalSchema) { content in
            let signal = try content.value(String.self, forProperty: "signal")
            return "\(signal): 104.5 °C"
        }
        let clear = try TestTool("clear_codes") { _ in "deleted 2 fault codes" }
        let model = ScriptedModel([
            .words("Let me see. ", [("read_signal", #"{"signal": "CoolantTemp"}"#), ("clear_codes", "{}")]),
            .calls([("read_signal", #"{"signal": "OilTemp"}"#)]), .text("It is 104.5 °C [1]."),
        ])
        return try Agent(
            model: model, tools: [tool, clear], retriever: FixedRetriever(["Hot is hot.", "More."]),
            options: quickOptions {
                $0.policy.rules["clear_codes"] = .changes()
                $0.seed = seed
                $0.limits.history = 1
            }, log: log
        ) { _ in .approve }
    }

    private let question = "Clear the codes: is it hot?"

    /// The hashed part of a log.
    private func records(_ log: AgentLog) throws -> [String] {
        try AgentLogReader(Array(log.text.utf8)).bytes.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test("Interrupted once in every state, in agents of their own, a run has the same log and the same answer")
    func everyState() async throws {
        // A log that nothing interrupted.
        let expected = AgentLog()
        let plain = try agent(expected)
        var states: [AgentState] = []
        for try await event in plain.ask(question) { if case .state(let state) = event { states.append(state) } }
        #expect(Set(states) == [.ground, .decide, .call, .observe, .answer, .done])
        for place in 0..<states.count - 1 {
            let log = AgentLog()
            let stopped = try agent(log)
            let seen = Mutex(0)
            let run = stopped.ask(question) { event, control in
                guard case .state = event else { return }
                let count = seen.withLock { count in
                    count += 1
                    return count
                }
                if count == place + 1 { control.interrupt() }
            }
            for try await _ in run {}
            let checkpoint = try #require(await run.interrupt())
            #expect(checkpoint.state == states[place])
            let data = try JSONEncoder().encode(checkpoint)
            let read = try JSONDecoder().decode(AgentCheckpoint.self, from: data)
            #expect(read == checkpoint)
            let result = try await stopped.resume(read).result()
            #expect(result.content == "It is 104.5 °C [1].")
            #expect(try records(log).dropFirst() == records(expected).dropFirst(), "interrupted before step \(place)")
        }
    }

    @Test("Another process goes on: another agent with the log's file")
    func otherAgent() async throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("agent-\(UUID()).log")
        defer { try? FileManager.default.removeItem(at: url) }
        let run = try agent(AgentLog(writingTo: url)).ask(question) { event, control in
            if event == .state(.observe) { control.interrupt() }
        }
        for try await _ in run {}
        let checkpoint = try #require(await run.interrupt())
        let other = try agent(AgentLog(writingTo: url))
        #expect(try await other.resume(checkpoint).result().outputs.map(\.call.number) == [1, 2, 3])
        let records = try AgentLogReader(contentsOf: url).records
        #expect(records.filter { $0.kind == "begin" }.count == 1 && records.last?.kind == "state")
        // And a next question after that, with the earlier one.
        let third = try agent(AgentLog(writingTo: url))
        #expect(try await third.answer("Clear codes?").outputs.map(\.call.number) == [4, 5, 6])
        // The checkpoint is not the log's end any more.
        let late = try agent(AgentLog(writingTo: url))
        await #expect { try await late.resume(checkpoint).result() } throws: {
            ($0 as? AgentError)?.code == .logMismatch
        }
        // Other options are another agent.
        #expect { try agent(AgentLog(writingTo: url), seed: 4) } throws: { ($0 as? AgentError)?.code == .logMismatch }
        let foreign = try agent(AgentLog(), seed: 4)
        await #expect { try await foreign.resume(checkpoint).result() } throws: {
            ($0 as? AgentError)?.code == .checkpointMismatch
        }
    }

    @Test("A call that was begun when the process died is not made again")
    func begun() async throws {
        let made = Mutex(0)
        let asked = Mutex<AgentRun?>(nil)
        let saved = Mutex<AgentCheckpoint?>(nil)
        let tool = try TestTool("clear_codes") { _ in
            made.withLock { $0 += 1 }
            // The process dies in the midst of the call: what stays is the checkpoint from before it.
            while made.withLock({ $0 }) == 1, asked.withLock({ $0 }) == nil { await Task.yield() }
            if let checkpoint = asked.withLock({ $0 })?.checkpoint { saved.withLock { $0 = $0 ?? checkpoint } }
            return "deleted"
        }
        let model = ScriptedModel([.calls([("clear_codes", "{}")]), .text("Done.")])
        let options = quickOptions()
        let agent = try Agent(model: model, tools: [tool], options: options)
        let run = agent.ask("clear codes")
        asked.withLock { $0 = run }
        for try await _ in run {}
        let kept = saved.withLock { $0 }
        var checkpoint = try #require(kept)
        #expect(checkpoint.state == .call)
        checkpoint.begun = 1
        let before = made.withLock { $0 }
        let other = try Agent(model: model, tools: [tool], options: options)
        checkpoint.moment = [2026, 1, 1, 0, 0, 0]
        checkpoint.configuration = try Agent.configuration(
            Agent.begin(
                options, AgentModel(model, moment: []), Transcript.ToolDefinition.all(of: [tool]), checkpoint.moment))
        let result = try await other.resume(checkpoint).result()
        #expect(
            made.withLock { $0 } == before
                && result.failures.first?.contains("whether it was done is not known") == true)
    }

    @Test("Checkpoints that contradict themselves are refused, whatever they hold")
    func damaged() async throws {
        let agent = try agent(AgentLog())
        let run = agent.ask(question) { event, control in
            if event == .state(.observe) { control.interrupt() }
        }
        for try await _ in run {}
        let whole = try #require(await run.interrupt())
        let changes: [(inout AgentCheckpoint) -> Void] = [
            { $0.version = 2 }, { $0.configuration = "x" }, { $0.number = 0 }, { $0.seconds = .nan },
            { $0.state = .done },
            { $0.state = .call }, { $0.state = .refuse }, { $0.rounds[0].outputs.removeLast() },
            { $0.rounds[0].calls = [] },
            { $0.rounds = Array(repeating: $0.rounds[0], count: 99) }, { $0.tokenCount = -1 }, { $0.log.hash = "" },
            { $0.passages = Array(repeating: $0.passages[0], count: 99) }, { $0.state = .failed },
            { $0.callCount = .max },
            { $0.rounds[0].outputs[0].call.arguments = "{}" }, { $0.refusal = .emptyAnswer },
            { $0.moment = [1, 2, 3] },
        ]
        for (index, change) in changes.enumerated() {
            var damaged = whole
            change(&damaged)
            await #expect(throws: AgentError.self, "change \(index)") { try await agent.resume(damaged).result() }
        }
        #expect(try await agent.resume(whole).result().refusal == nil)
    }
}
