import EdgeEngine
import EdgeLLM
import EdgeTemplate
import Foundation
import Observation
import Synchronization
import Testing

/// The behaviour contract of sessions, on a scripted model.
@Suite("Session") struct SessionTests {
    private static let marks = ReasoningMarks(begin: "<think>", end: "</think>")

    private func session(_ executor: ScriptedModel) -> LanguageModelSession {
        LanguageModelSession(
            model: executor,
            transcript: Transcript(entries: [.instructions(.init(segments: .text("Be brief.")))]))
    }

    private static func endless() -> ScriptedModel {
        ScriptedModel(Array(repeating: "x", count: 1_000_000), delay: .milliseconds(1))
    }

    @Test("An answer has its content, its entries and its figures, and the transcript grows by both sides")
    func respond() async throws {
        let executor = ScriptedModel(["<thi", "nk>hm ", "</think>", "\nHel", "lo"], marks: Self.marks)
        let session = session(executor)
        let answer = try await session.respond(to: "Hi")
        #expect(answer.content == "Hello" && answer.finishReason == .endOfTurn)
        #expect(answer.usage.output.totalTokenCount == 5 && answer.usage.output.reasoningTokenCount == 2)
        #expect(answer.transcriptEntries.map(\.text) == ["hm", "Hello"])
        #expect(session.transcript.map(\.text) == ["Be brief.", "Hi", "hm", "Hello"])
        guard case .reasoning = session.transcript[2], case .response(let response) = session.transcript[3] else {
            Issue.record("\(session.transcript)")
            return
        }
        #expect(response.finishReason == .endOfTurn)
        try await session.respond {
            "And"; "you?"
        }
        #expect(session.transcript.count == 7 && session.transcript[4].text == "And\nyou?")
        #expect(session.usage.output.totalTokenCount == 10)
        #expect(
            executor.state.withLock { $0.prompts.map { $0.map(\.text) } }[1] == session.transcript.prefix(5).map(\.text)
        )
    }

    @Test("Snapshots grow, skip what a slow reader missed, and end with the whole")
    func snapshots() async throws {
        let pieces = (0..<200).map { "\($0) " }
        let executor = ScriptedModel(pieces)
        let session = session(executor)
        var seen: [String] = []
        for try await snapshot in session.streamResponse(to: "count") {
            if let last = seen.last { #expect(snapshot.content.hasPrefix(last) && snapshot.content.count > last.count) }
            seen.append(snapshot.content)
            // A reader so slow that all is written meanwhile: what it missed comes in one snapshot.
            if seen.count == 3 {
                #expect(
                    try await eventually {
                        executor.state.withLock { $0.yielded == pieces.count } && !session.isResponding
                    })
            }
        }
        #expect(seen.last == pieces.joined())
        #expect(seen.count <= 4)
        #expect(!session.isResponding && session.transcript.last?.text == pieces.joined())
    }

    @Test("Deltas lose nothing, and events keep reasoning apart and end with the figures")
    func deltas() async throws {
        let pieces = ["<think>", "a ", "b", "</think>", "c", " d", "é"]
        var text = ""
        for try await delta in session(ScriptedModel(pieces, marks: Self.marks)).streamResponse(to: "x").textDeltas {
            text += delta
            try await Task.sleep(for: .milliseconds(1))
        }
        #expect(text == "c dé")
        var events: [LanguageModelSession.Event] = []
        for try await event in session(ScriptedModel(pieces, marks: Self.marks)).streamEvents(to: "x") {
            events.append(event)
        }
        #expect(
            events.dropLast(2) == [.reasoning("a"), .reasoning(" b"), .text("c"), .text(" d"), .text("é")])
        #expect(events.last == .finished(.endOfTurn))
        guard case .usage = events[events.count - 2] else {
            Issue.record("no usage before the end")
            return
        }
    }

    @Test("While models compute, the pool of tasks is free and a caller's actor is its own", .timeLimit(.minutes(2)))
    @MainActor func isolation() async throws {
        // What the caller's actor has needs not be sendable to stand around a call.
        final class Log { var lines: [String] = [] }
        let log = Log()
        let model = try await GGUFLanguageModel(
            contentsOf: bundled,
            options: .init(contextSize: 1 << 12, threadCount: 1, chatTemplate: "{{ messages[0].content }}"))
        var options = GenerationOptions(samplingMode: .greedy)
        options.local.ignoresEnd = true
        // More endless answers than the pool has threads.
        let streams = (0..<ProcessInfo.processInfo.activeProcessorCount + 2).map { _ in
            LanguageModelSession(model: model).streamEvents(to: "The engine", options: options)
        }
        let sum = await withTaskGroup(of: Int.self) { group -> Int in
            for number in 0..<1_000 { group.addTask { number } }
            var sum = 0
            for await number in group { sum += number }
            return sum
        }
        #expect(sum == 499_500)
        var short = options
        short.maximumResponseTokens = 3
        log.lines.append(try await LanguageModelSession(model: model).respond(to: "The", options: short).content)
        MainActor.assertIsolated()
        #expect(log.lines.count == 1)
        withExtendedLifetime(streams) {}
    }

    @Test("An answer of nothing yields no snapshot and is collected all the same")
    func empty() async throws {
        let session = session(ScriptedModel([]))
        for try await _ in session.streamResponse(to: "x") { Issue.record("a snapshot of nothing") }
        #expect(try await session.streamResponse(to: "x").collect().content == "")
        #expect(session.transcript.count == 5)
    }

    @Test("A second request while one is answered is refused, in every form, and disturbs nothing")
    func concurrent() async throws {
        let executor = ScriptedModel(["a", "b"])
        executor.state.withLock { $0.isHeld = true }
        let session = session(executor)
        let first = session.streamResponse(to: "1")
        #expect(session.isResponding)
        await #expect(throws: LanguageModelSession.Error.concurrentRequests) { try await session.respond(to: "2") }
        await #expect(throws: LanguageModelSession.Error.concurrentRequests) {
            for try await _ in session.streamEvents(to: "3") {}
        }
        executor.state.withLock { $0.isHeld = false }
        #expect(try await first.collect().content == "ab")
        #expect(session.transcript.count == 3)
    }

    enum Leaving: CaseIterable { case loop, deltas, events, unread, task, respondTask }

    @Test(
        "Leaving, dropping and cancelling are the same: the session is free and the turn is gone",
        arguments: Leaving.allCases)
    func leaving(_ way: Leaving) async throws {
        let executor = Self.endless()
        let session = session(executor)
        switch way {
        case .loop:
            let stream = session.streamResponse(to: "x")
            for try await _ in stream { break }
        case .deltas:
            let stream = session.streamResponse(to: "x")
            for try await _ in stream.textDeltas { break }
        case .events:
            let stream = session.streamEvents(to: "x")
            for try await _ in stream { break }
        case .unread:
            _ = session.streamResponse(to: "x")
        case .task:
            let task = Task { for try await _ in session.streamResponse(to: "x") {} }
            try await Task.sleep(for: .milliseconds(20))
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        case .respondTask:
            let task = Task { try await session.respond(to: "x") }
            try await Task.sleep(for: .milliseconds(20))
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
        #expect(!session.isResponding)
        #expect(session.transcript.map(\.text) == ["Be brief."])
        // A new request is accepted at once, and two never meet at the model.
        let next = Task { try await session.respond(to: "y") }
        #expect(try await eventually { executor.state.withLock { $0.prompts.last?.last?.text == "y" } })
        #expect(session.isResponding)
        next.cancel()
        await #expect(throws: CancellationError.self) { try await next.value }
        #expect(!session.isResponding)
        #expect(try await eventually { executor.state.withLock { $0.running == 0 } })
        #expect(executor.state.withLock { $0.overlaps == 0 })
        let before = executor.state.withLock { $0.yielded }
        try await Task.sleep(for: .milliseconds(20))
        #expect(executor.state.withLock { $0.yielded } == before)
    }

    @Test("A task that is cancelled already asks nothing")
    func cancelledBefore() async throws {
        let executor = Self.endless()
        let session = session(executor)
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            try await session.respond(to: "x")
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(executor.state.withLock { $0.prompts.isEmpty })
    }

    @Test("A failure takes the turn back, or keeps what there is of it")
    func failure() async throws {
        let session = session(ScriptedModel(["<think>a</think>", "b"], marks: Self.marks, fails: true))
        await #expect(throws: ScriptedModel.Failure.self) { try await session.respond(to: "x") }
        #expect(session.transcript.count == 1 && !session.isResponding)
        session.transcriptErrorHandlingPolicy = .preserveTranscript
        await #expect(throws: ScriptedModel.Failure.self) { try await session.respond(to: "x") }
        #expect(session.transcript.map(\.text) == ["Be brief.", "x", "a", "b"])
        guard case .response(let response)? = session.transcript.last else {
            Issue.record("no response")
            return
        }
        #expect(response.finishReason == nil)
        #expect(session.usage.output.totalTokenCount == 0)
    }

    @Test("Observers hear of the transcript and of responding, and may read the session then")
    func observation() async throws {
        let session = session(ScriptedModel(["a"]))
        let heard = Mutex(0)
        withObservationTracking {
            _ = session.isResponding
        } onChange: {
            // A lock held here would never be given.
            _ = session.transcript
            heard.withLock { $0 += 1 }
        }
        try await session.respond(to: "x")
        #expect(heard.withLock { $0 } == 1)
    }

    @Test("The transcript may be changed between answers")
    func editing() async throws {
        let executor = ScriptedModel(["a"])
        let session = session(executor)
        try await session.respond(to: "1")
        session.transcript = Transcript(entries: session.transcript.prefix(1))
        try await session.respond(to: "2")
        #expect(executor.state.withLock { $0.prompts.last?.map(\.text) } == ["Be brief.", "2"])
        #expect(executor.state.withLock { $0.prompts.count } == 2)
    }

    @Test("Prewarming waits for its turn and the answer for it")
    func prewarm() async throws {
        let executor = ScriptedModel(["a"])
        let session = session(executor)
        session.prewarm(promptPrefix: Prompt("pre"))
        try await session.respond(to: "x")
        #expect(executor.state.withLock { $0.prewarmed } == ["pre"])
    }
}
