import Foundation
import Synchronization
import Testing

@testable import EdgeVoice

/// A shell command: what stands for a program that speaks or listens.
private func shell(_ script: String) -> VoiceCommand { VoiceCommand(program: "sh", arguments: ["-c", script]) }

/// A file that is gone afterwards.
private final class TemporaryFile {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("edge-voice-\(UUID())")
    deinit { try? FileManager.default.removeItem(at: url) }
    var path: String { url.path }
    var text: String { (try? String(contentsOf: url, encoding: .utf8)) ?? "" }
    var lines: [String] { text.split(separator: "\n").map(String.init) }
}

/// Waits until something is so, half a minute at most.
private func waits(until condition: () -> Bool) async throws -> Bool {
    for _ in 0..<3000 {
        if condition() { return true }
        try await Task.sleep(for: .milliseconds(10))
    }
    return false
}

private func isRunning(_ identifier: Int32) -> Bool { kill(identifier, 0) == 0 }

@Suite("Commands") struct VoiceCommandTests {
    @Test("Words, quotes and backslashes; nothing is expanded")
    func parsing() throws {
        func words(_ text: String) throws -> [String] {
            let command = try VoiceCommand(parsing: text)
            return [command.program] + command.arguments
        }
        #expect(try words("espeak-ng -v en  --stdin") == ["espeak-ng", "-v", "en", "--stdin"])
        #expect(try words(#"sh -c 'a "b" | c'"#) == ["sh", "-c", #"a "b" | c"#])
        #expect(try words(#"a "b \" c" d\ e '' "#) == ["a", #"b " c"#, "d e", ""])
        #expect(
            try words("a $HOME `id` $(id) ; rm * > x") == ["a", "$HOME", "`id`", "$(id)", ";", "rm", "*", ">", "x"])
        for text in ["", "  ", "a 'b", "a \"b", "a \\", "''", "a\u{0}b"] {
            #expect(throws: VoiceError.self) { try VoiceCommand(parsing: text) }
        }
    }

    @Test("What is not there is said, with its package")
    func missing() throws {
        for program in ["edge-no-such-program", "/no/such/program", "/", "/tmp"] {
            #expect { try Speaker(command: VoiceCommand(program: program)) } throws: {
                ($0 as? VoiceError)?.code == .missingProgram && "\($0)".contains(program)
            }
            #expect { try Listener(command: VoiceCommand(program: program)) } throws: {
                ($0 as? VoiceError)?.code == .missingProgram
            }
        }
    }
}

@Suite("Sentences to speak") struct SpokenSentencesTests {
    private func cut(_ text: String, by size: Int) -> [String] {
        var sentences = SpokenSentences()
        var spoken: [String] = []
        var rest = text[...]
        while !rest.isEmpty {
            spoken += sentences.append(String(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        return spoken + sentences.finish()
    }

    @Test("The same sentences, however the text is cut into pieces", arguments: [1, 2, 3, 7, 1000])
    func pieces(size: Int) {
        let text =
            "The lamp **flashes** [1]. Ease off, e.g. to 60 km/h [2, 3].\nThe tyres have 2.3 bar. Is it `P0301`? [x] Ja! 油温高。停车。 \u{1B}[2J"
        #expect(
            cut(text, by: size) == [
                "The lamp flashes.", "Ease off, e.g. to 60 km/h.", "The tyres have 2.3 bar.", "Is it P0301?", "[x] Ja!",
                "油温高。", "停车。", "[2J",
            ])
    }

    @Test("A sentence is there as soon as the next begins")
    func early() {
        var sentences = SpokenSentences()
        #expect(sentences.append("Stop at once. ") == [])
        #expect(sentences.append("Then") == ["Stop at once."])
        #expect(sentences.finish() == ["Then"])
        #expect(sentences.finish() == [])
    }

    @Test("Sentences without end are given in parts, and nothing of them is lost")
    func long() {
        let text = (0..<2000).map { "word\($0)" }.joined(separator: " ")
        let parts = cut(text, by: 50)
        #expect(parts.joined(separator: " ") == text && parts.allSatisfy { $0.utf8.count <= 600 })
        let block = String(repeating: "é", count: 5000)
        let pieces = cut(block, by: 333)
        #expect(pieces.joined() == block && pieces.allSatisfy { $0.utf8.count <= 600 })
    }
}

@Suite("Speaking", .timeLimit(.minutes(5))) struct SpeakerTests {
    @Test("Each sentence is given to a process of its own, in order, while the text is being written")
    func sentences() async throws {
        let file = TemporaryFile()
        let speaker = try Speaker(command: shell("cat >> '\(file.path)'; echo -- >> '\(file.path)'"))
        try speaker.say("The lamp flashes [1]. Ea")
        #expect(try await waits { file.lines == ["The lamp flashes.", "--"] })
        try speaker.say("se off at once.")
        try await speaker.finish()
        #expect(file.lines == ["The lamp flashes.", "--", "Ease off at once.", "--"])
        #expect(!speaker.isSpeaking && speaker.hasSpoken(within: .seconds(600)))
        // Nothing of a sentence reaches a shell.
        try speaker.say("$(touch '\(file.path)x') ; touch \(file.path)x. `touch \(file.path)x`!")
        try await speaker.finish()
        #expect(!FileManager.default.fileExists(atPath: file.path + "x"))
        #expect(file.lines.contains { $0.hasPrefix("$(touch") })
    }

    @Test("A program that fails, does not read, or floods its output is told of once and keeps nobody")
    func failures() async throws {
        let failing = try Speaker(command: shell("exit 3"))
        try failing.say("One. Two. Three")
        await #expect { try await failing.finish() } throws: {
            ($0 as? VoiceError)?.code == .failed && "\($0)".contains("status 3")
        }
        try await failing.finish()
        let killed = try Speaker(command: shell("kill -9 $$"))
        try killed.say("One")
        await #expect { try await killed.finish() } throws: { "\($0)".contains("signal 9") }
        let deaf = try Speaker(command: shell("exec <&-; exit 0"))
        try deaf.say("One. Two. Three.")
        try await deaf.finish()
        let flooding = try Speaker(command: shell("head -c 10000000 /dev/zero; head -c 10000000 /dev/zero >&2"))
        try flooding.say("One.")
        try await flooding.finish()
    }

    @Test("A program that hangs is ended when its time is over")
    func hanging() async throws {
        let file = TemporaryFile()
        let speaker = try Speaker(
            command: shell("echo $$ >> '\(file.path)'; sleep 600 & echo $! >> '\(file.path)'; wait"),
            patience: .milliseconds(500))
        try speaker.say("One. Two.")
        await #expect { try await speaker.finish() } throws: { ($0 as? VoiceError)?.code == .tooSlow }
        let identifiers = file.lines.compactMap { Int32($0) }
        #expect(identifiers.count == 2)
        #expect(try await waits { identifiers.allSatisfy { !isRunning($0) } })
    }

    @Test("Stopping ends the process at once, and a speaker that is let go does too")
    func stopping() async throws {
        let file = TemporaryFile()
        let command = shell("echo $$ >> '\(file.path)'; exec sleep 600")
        var speaker: Speaker? = try Speaker(command: command)
        try speaker?.say("One. Two. Three.")
        #expect(try await waits { file.lines.count == 1 })
        speaker?.stop()
        #expect(speaker?.isSpeaking == false)
        try await speaker?.finish()
        try speaker?.say("Four. Five.")
        #expect(try await waits { file.lines.count == 2 })
        speaker = nil
        #expect(try await waits { file.lines.compactMap { Int32($0) }.allSatisfy { !isRunning($0) } })
        // Cancelling who waits does so too.
        let other = try Speaker(command: command)
        try other.say("One")
        let task = Task { try await other.finish() }
        #expect(try await waits { file.lines.count == 3 })
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(!other.isSpeaking)
    }

    @Test("No more waits than may wait, and what is left out is said")
    func queue() async throws {
        let speaker = try Speaker(command: shell("sleep 600"), queueLimit: 2)
        try speaker.say("One. Two. Three. ")
        #expect { try speaker.say("Four. Five. Six.") } throws: {
            ($0 as? VoiceError)?.code == .queueFull && "\($0)".contains("Five.")
        }
        speaker.stop()
    }
}

@Suite("Listening", .timeLimit(.minutes(5))) struct ListenerTests {
    private func lines(_ command: VoiceCommand) async throws -> [String] {
        var lines: [String] = []
        for try await line in try Listener(command: command) { lines.append(line) }
        return lines
    }

    @Test("Lines, objects, bytes that are no text")
    func lines() async throws {
        let file = TemporaryFile()
        let bytes: [UInt8] =
            Array(
                "why is the lamp flashing\n\n \t\r\n{\"b\":0,\"t\":\"is it hot\"}\r\n{\"text\": \"and now\"}\n{\"t\":\"\"}\n{no\n"
                    .utf8)
            + [0xFF, 0xC0, 0x41, 0x00, 0x42, 0x1B, 0x0A] + Array("the last".utf8)
        try Data(bytes).write(to: file.url)
        #expect(
            try await lines(VoiceCommand(program: "cat", arguments: [file.path])) == [
                "why is the lamp flashing", "is it hot", "and now", "{no", "\u{FFFD}\u{FFFD}A B", "the last",
            ])
        #expect(try await lines(VoiceCommand(program: "true")) == [])
    }

    @Test("Lines are there as they come, and end with the program")
    func live() async throws {
        let gate = TemporaryFile()
        let listener = try Listener(
            command: shell("echo one; while [ ! -e '\(gate.path)' ]; do sleep 0.05; done; echo two; exit 4"))
        var iterator = listener.makeAsyncIterator()
        #expect(try await iterator.next() == "one")
        try Data().write(to: gate.url)
        #expect(try await iterator.next() == "two")
        await #expect { try await iterator.next() } throws: {
            ($0 as? VoiceError)?.code == .failed && "\($0)".contains("status 4")
        }
        #expect(try await iterator.next() == nil)
    }

    @Test("A flood of lines stands still until it is asked for, and none is lost")
    func flood() async throws {
        let listener = try Listener(command: shell("i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done"))
        var count = 0
        for try await line in listener {
            #expect(line == "line \(count)")
            count += 1
            if count == 1 { try await Task.sleep(for: .milliseconds(300)) }
        }
        #expect(count == 3000)
        // One without end is ended in its midst.
        let endless = try Listener(command: VoiceCommand(program: "yes"))
        var iterator = endless.makeAsyncIterator()
        #expect(try await iterator.next() == "y")
        endless.stop()
        var rest = 0
        while try await iterator.next() != nil { rest += 1 }
        #expect(rest <= 65)
    }

    @Test("A line without end is an error, and ends the program")
    func longLine() async throws {
        let file = TemporaryFile()
        let listener = try Listener(command: shell("echo $$ > '\(file.path)'; exec cat /dev/zero"))
        var iterator = listener.makeAsyncIterator()
        await #expect { try await iterator.next() } throws: { ($0 as? VoiceError)?.code == .lineTooLong }
        #expect(try await iterator.next() == nil)
        let identifier = try #require(Int32(file.text.trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(try await waits { !isRunning(identifier) })
    }

    @Test("A program that hangs is ended with who listens, or with who waits")
    func hanging() async throws {
        let file = TemporaryFile()
        // It does not end when it is asked to.
        let command = shell("trap '' TERM; echo $$ >> '\(file.path)'; while true; do sleep 1; done")
        var listener: Listener? = try Listener(command: command)
        #expect(try await waits { file.lines.count == 1 })
        withExtendedLifetime(listener) {}
        listener = nil
        let task = Task { [other = try Listener(command: command)] in
            var iterator = other.makeAsyncIterator()
            return try await iterator.next()
        }
        #expect(try await waits { file.lines.count == 2 })
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try await waits { file.lines.compactMap { Int32($0) }.allSatisfy { !isRunning($0) } })
    }

    @Test("Output that closes early, or is held open by others, keeps nobody")
    func outputs() async throws {
        #expect(try await lines(shell("echo one; exec >&-; sleep 600")) == ["one"])
        let file = TemporaryFile()
        // In a group of its own, which is not ended with the program.
        let held = shell("echo one; setsid sleep 30 & echo $! > '\(file.path)'")
        #expect(try await lines(held) == ["one"])
        if let identifier = Int32(file.text.trimmingCharacters(in: .whitespacesAndNewlines)) {
            _ = kill(identifier, SIGKILL)
        }
    }

    @Test("What arrives while nobody is to be heard is left out")
    func deaf() async throws {
        let count = Mutex(0)
        let listener = try Listener(command: shell("echo one; echo two; echo three")) {
            count.withLock { count in
                count += 1
                return count == 2
            }
        }
        var heard: [String] = []
        for try await line in listener { heard.append(line) }
        #expect(heard == ["one", "three"])
    }
}
