import EdgeTestSupport
import Foundation
import Testing

/// The built `edge-llm`, run as a user runs it.
struct EdgeLLMCommand {
    struct Outcome {
        var code: Int32
        var output: String
        var errors: String
    }

    /// The executable lies beside the test bundle.
    static let url: URL = {
        let folder = Bundle.allBundles.lazy.map(\.bundleURL).first { $0.pathExtension == "xctest" }
            .map { $0.deletingLastPathComponent() }
        let arguments = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        return (folder ?? arguments).appendingPathComponent("edge-llm")
    }()

    static func process(_ arguments: [String]) -> (Process, input: Pipe, output: Pipe, errors: Pipe) {
        let process = Process()
        process.executableURL = url
        process.arguments = arguments
        let pipes = (Pipe(), Pipe(), Pipe())
        process.standardInput = pipes.0
        process.standardOutput = pipes.1
        process.standardError = pipes.2
        return (process, pipes.0, pipes.1, pipes.2)
    }

    static func run(_ arguments: String..., input: String = "") throws -> Outcome {
        try run(arguments: arguments, input: input)
    }

    static func run(arguments: [String], input: String = "", environment: [String: String] = [:]) throws -> Outcome {
        let (process, stdin, stdout, stderr) = process(arguments)
        if !environment.isEmpty {
            process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        }
        try process.run()
        try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try stdin.fileHandleForWriting.close()
        let output = try stdout.fileHandleForReading.readToEnd() ?? Data()
        let errors = try stderr.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return Outcome(
            code: process.terminationReason == .exit ? process.terminationStatus : -1,
            output: String(decoding: output, as: UTF8.self), errors: String(decoding: errors, as: UTF8.self))
    }
}

@Suite("The command", .enabled(if: FileManager.default.isExecutableFile(atPath: EdgeLLMCommand.url.path)))
struct CommandTests {
    private let model = fixtures.appendingPathComponent("edge-car-1m.gguf").path

    @Test("run writes the text to standard output and one summary line to standard error")
    func run() throws {
        let outcome = try EdgeLLMCommand.run("run", "-m", model, "-p", "The engine light is", "--temp", "0", "-n", "12")
        #expect(outcome.code == 0)
        #expect(outcome.output.hasPrefix(" ") && outcome.output.hasSuffix("\n") && outcome.output.count > 12)
        #expect(outcome.errors.split(separator: "\n").count == 1)
        for part in ["first token after", "prefill", "decode", "tok/s", "peak memory"] {
            #expect(outcome.errors.contains(part))
        }
        let piped = try EdgeLLMCommand.run(
            "run", "-m", model, "--temp", "0", "-n", "12", "-q", input: "The engine light is")
        #expect(piped.output == outcome.output && piped.errors.isEmpty)
    }

    @Test("run --json is one object with the text and the figures")
    func json() throws {
        let outcome = try EdgeLLMCommand.run(
            "run", "-m", model, "-p", "The engine light is", "--seed", "3", "-n", "8", "--json")
        #expect(outcome.code == 0 && outcome.errors.isEmpty)
        let object = try #require(
            JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
        #expect(object["generatedTokens"] as? Int == 8)
        #expect(object["seed"] as? Int == 3)
        #expect((object["text"] as? String)?.isEmpty == false)
        #expect(object["finishReason"] as? String == "maximumTokens")
        #expect(object["peakMemoryBytes"] as? Int ?? 0 > 1_000_000)
    }

    @Test("--prefix-cache keeps beginnings for the next process, also when several run at once and some are killed")
    func prefixCache() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("edge-prefixes-\(UUID())")
        defer { try? FileManager.default.removeItem(at: folder) }
        let text = String(repeating: "The engine light is on and the car shakes. Stop and let it cool. ", count: 12)
        func arguments(_ index: Int, _ cache: Bool = true) -> [String] {
            ["run", "-m", model, "-p", "\(index % 3). " + text, "--temp", "0", "-n", "12", "--json"]
                + (cache ? ["--prefix-cache", folder.path, "--prefix-cache-size", "1"] : [])
        }
        func report(_ data: Data) throws -> (text: String, cached: Int) {
            let object = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
            return (try #require(object["text"] as? String), try #require(object["cachedTokens"] as? Int))
        }
        func run(_ arguments: [String]) throws -> (text: String, cached: Int) {
            let (process, stdin, stdout, _) = EdgeLLMCommand.process(arguments)
            try process.run()
            try stdin.fileHandleForWriting.close()
            let output = try stdout.fileHandleForReading.readToEnd() ?? Data()
            process.waitUntilExit()
            return try report(output)
        }
        let cold = try (0..<3).map { try run(arguments($0, false)).text }
        // In rounds: two write and read, and one of a third is killed on its way.
        for round in 0..<6 {
            let running = try (0..<3).map { index in
                let it = EdgeLLMCommand.process(arguments(round + index))
                try it.0.run()
                try it.input.fileHandleForWriting.close()
                return it
            }
            Thread.sleep(forTimeInterval: 0.004 * Double(round))
            kill(running[2].0.processIdentifier, SIGKILL)
            for (index, it) in running.enumerated() {
                let output = try it.output.fileHandleForReading.readToEnd() ?? Data()
                it.0.waitUntilExit()
                if index < 2 { #expect(try report(output).text == cold[(round + index) % 3]) }
            }
        }
        for index in 0..<3 {
            let last = try run(arguments(index))
            #expect(last.text == cold[index] && last.cached > 100)
        }
    }

    @Test("Where the disk is full, --prefix-cache leaves nothing behind and the answer goes on")
    func fullDisk() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("edge-prefixes-\(UUID())")
        defer { try? FileManager.default.removeItem(at: folder) }
        let text = String(repeating: "The engine light is on and the car shakes. Stop and let it cool. ", count: 12)
        // Files may not grow beyond some kilobytes, and writing more fails as it does on a full disk.
        let (process, stdin, stdout, _) = EdgeLLMCommand.process([])
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = [
            "-c", "trap '' XFSZ; ulimit -f 20; exec \"$0\" \"$@\"", EdgeLLMCommand.url.path, "run", "-m", model, "-p",
            text, "--temp", "0", "-n", "12", "-q", "--prefix-cache", folder.path,
        ]
        try process.run()
        try stdin.fileHandleForWriting.close()
        let output = try stdout.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        let cold = try EdgeLLMCommand.run("run", "-m", model, "-p", text, "--temp", "0", "-n", "12", "-q")
        #expect(process.terminationStatus == 0 && String(decoding: output, as: UTF8.self) == cold.output)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test("Wrong usage is one line and code 64; a bad file one line and code 65")
    func codes() throws {
        let missing = NSTemporaryDirectory() + "edge-\(UUID()).gguf"
        let readme = packageRoot.appendingPathComponent("README.md").path
        for (arguments, code) in [
            (["run"], 64), (["run", "-m", model, "-p", "a", "--temp", "warm"], 64),
            (["run", "-m", model, "-p", "a", "--temp", "-1"], 64),
            (["run", "-m", model, "-p", "a", "-t", "0"], 64), (["run", "-m", model, "-p", "a", "-n", "-1"], 64),
            (["run", "-m", model, "-p", "a", "-f", "b"], 64),
            (["run", "-m", model, "-p", "a", "--prefix-cache-size", "5"], 64),
            (["run", "-m", model, "-p", "a", "--prefix-cache", readme], 64),
            (["run", "-m", model, "-p", "a", "-c", "1"], 64),
            (["frobnicate"], 64), (["run", "-m", missing, "-p", "a"], 65), (["run", "-m", readme, "-p", "a"], 65),
            (["inspect", readme], 65), (["tokenize", "-m", missing, "-p", "a"], 65),
            (["perplexity", "-m", model, "-f", missing], 65), (["perplexity", "-m", model, "-p", "too short"], 64),
        ] as [([String], Int32)] {
            let (process, stdin, stdout, stderr) = EdgeLLMCommand.process(arguments)
            try process.run()
            try stdin.fileHandleForWriting.close()
            let output = try stdout.fileHandleForReading.readToEnd() ?? Data()
            let errors = String(decoding: try stderr.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationReason == .exit && process.terminationStatus == code, "\(arguments): \(errors)")
            #expect(output.isEmpty)
            #expect(
                errors.split(separator: "\n").count == 1 && errors.hasPrefix("edge-llm: "), "\(arguments): \(errors)")
        }
    }

    @Test("An instruction set that cannot run here is an error, and not another one in silence")
    func instructionSet() throws {
        for (name, code) in [("sse9", 64), ("portable", 0)] as [(String, Int32)] {
            let (process, stdin, stdout, stderr) = EdgeLLMCommand.process(["tokenize", "-m", model, "-p", "a"])
            process.environment = ProcessInfo.processInfo.environment.merging(["EDGE_LLM_ISA": name]) { $1 }
            try process.run()
            try stdin.fileHandleForWriting.close()
            let output = try stdout.fileHandleForReading.readToEnd() ?? Data()
            let errors = String(decoding: try stderr.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationReason == .exit && process.terminationStatus == code, "\(name): \(errors)")
            #expect(output.isEmpty == (code != 0) && errors.contains("EDGE_LLM_ISA=sse9") == (code != 0))
        }
    }

    @Test("--lora applies adapters, each at its scale")
    func adapters() throws {
        let adapter = fixtures.appendingPathComponent("golden/lora-a.gguf").path
        let other = fixtures.appendingPathComponent("golden/lora-b.gguf").path
        func text(_ arguments: String...) throws -> String {
            let (process, stdin, stdout, _) = EdgeLLMCommand.process(
                ["run", "-m", model, "-p", "The engine light is", "--temp", "0", "-n", "16", "-q"] + arguments)
            try process.run()
            try stdin.fileHandleForWriting.close()
            let output = try stdout.fileHandleForReading.readToEnd() ?? Data()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0, "\(arguments)")
            return String(decoding: output, as: UTF8.self)
        }
        let base = try text()
        let changed = try text("--lora", adapter + ":2")
        #expect(changed != base)
        #expect(try text("--lora", adapter + ":0", "--lora", other + ":0") == base)
        #expect(try text("--lora", adapter + ":2", "--lora", other + ":0") == changed)
        for (arguments, code) in [
            (["run", "-m", model, "-p", "a", "--lora", model], 65),
            (["run", "-m", model, "-p", "a", "--lora", adapter + ".missing"], 65),
            (["run", "-m", model, "-p", "a", "--lora", adapter + ":nan"], 64),
        ] as [([String], Int32)] {
            let (process, stdin, _, stderr) = EdgeLLMCommand.process(arguments)
            try process.run()
            try stdin.fileHandleForWriting.close()
            let errors = String(decoding: try stderr.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == code && errors.split(separator: "\n").count == 1, "\(errors)")
        }
    }

    @Test("A grammar from a file holds, and one that is none is one line that says where")
    func grammar() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).gbnf")
        defer { try? FileManager.default.removeItem(at: file) }
        let arguments = ["run", "-m", model, "-p", "The engine light is", "-q", "--grammar-file", file.path]
        func run() throws -> (output: String, errors: String, code: Int32) {
            let (process, stdin, stdout, stderr) = EdgeLLMCommand.process(arguments)
            try process.run()
            try stdin.fileHandleForWriting.close()
            let output = try stdout.fileHandleForReading.readToEnd() ?? Data()
            let errors = try stderr.fileHandleForReading.readToEnd() ?? Data()
            process.waitUntilExit()
            return (
                String(decoding: output, as: UTF8.self), String(decoding: errors, as: UTF8.self),
                process.terminationStatus
            )
        }
        try Data(#"root ::= " " [0-9]{3} "!""#.utf8).write(to: file)
        let good = try run()
        #expect(good.code == 0 && good.output.wholeMatch(of: /.*\ [0-9]{3}!\n/) != nil, "\(good)")
        try Data("root ::=\n  <nothing>".utf8).write(to: file)
        let bad = try run()
        #expect(bad.code != 0 && bad.errors.contains("2:3") && bad.errors.split(separator: "\n").count == 1, "\(bad)")
        try FileManager.default.removeItem(at: file)
        #expect(try run().code == 65)
    }

    @Test("An interrupt ends a run with code 130 and leaves what was written whole")
    func interrupt() throws {
        let (process, stdin, stdout, stderr) = EdgeLLMCommand.process([
            "run", "-m", model, "-p", "The engine light is", "--temp", "0", "-c", "1000000", "--ignore-eos",
        ])
        try process.run()
        try stdin.fileHandleForWriting.close()
        var text = Data()
        while text.count < 40 {
            let part = stdout.fileHandleForReading.availableData
            if part.isEmpty { break }
            text += part
        }
        process.interrupt()
        text += try stdout.fileHandleForReading.readToEnd() ?? Data()
        let errors = String(decoding: try stderr.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 130)
        #expect(errors.contains("interrupted"))
        #expect(String(validating: text, as: UTF8.self)?.hasSuffix("\n") == true)
    }

    @Test("An interrupt at the first sign of a run is not lost")
    func earlyInterrupt() throws {
        for _ in 0..<8 {
            let (process, stdin, stdout, stderr) = EdgeLLMCommand.process([
                "run", "-m", model, "-p", "The engine light is", "--temp", "0", "-c", "1000000", "--ignore-eos",
                "--echo",
            ])
            try process.run()
            try stdin.fileHandleForWriting.close()
            // The echoed prompt comes just before the work begins.
            _ = stdout.fileHandleForReading.availableData
            process.interrupt()
            _ = try stdout.fileHandleForReading.readToEnd()
            let errors = String(decoding: try stderr.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationReason == .exit && process.terminationStatus == 130)
            #expect(errors.contains("interrupted"))
        }
    }

    @Test("tokenize shows ids and pieces; the pieces are the text")
    func tokenize() throws {
        let text = "Brake fluid: 12 months\n"
        let ids = try EdgeLLMCommand.run("tokenize", "-m", model, "-p", text, "--ids").output
        let outcome = try EdgeLLMCommand.run("tokenize", "-m", model, "--json", input: text)
        #expect(outcome.code == 0)
        struct Report: Decodable {
            struct Token: Decodable {
                let id: Int
                let text: String
            }
            let count: Int
            let tokens: [Token]
        }
        let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
        #expect(report.count == report.tokens.count)
        #expect(report.tokens.map { "\($0.id)" }.joined(separator: " ") + "\n" == ids)
        #expect(report.tokens.dropFirst().map(\.text).joined() == text)
    }

    @Test("perplexity of a text like the training texts is low, and JSON and text agree")
    func perplexity() throws {
        let text = try EdgeLLMCommand.run(
            "run", "-m", model, "-p", "The engine light is", "--seed", "1", "-n", "120", "--ignore-eos", "-q"
        ).output
        let outcome = try EdgeLLMCommand.run("perplexity", "-m", model, "-c", "64", "--json", input: text)
        #expect(outcome.code == 0)
        let object = try #require(JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
        let value = try #require(object["perplexity"] as? Double)
        #expect(value > 1 && value < 20)
        let plain = try EdgeLLMCommand.run("perplexity", "-m", model, "-c", "64", input: text)
        #expect(plain.output.hasPrefix(String(format: "perplexity %.4f ", value)))
    }

    @Test("inspect prints a table, or one JSON object")
    func inspect() throws {
        let table = try EdgeLLMCommand.run("inspect", model)
        #expect(table.code == 0)
        for part in ["general.architecture", "token_embd.weight", "bits per weight"] {
            #expect(table.output.contains(part))
        }
        let json = try EdgeLLMCommand.run("inspect", model, "--json")
        let object = try #require(JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        #expect((object["tensors"] as? [Any])?.isEmpty == false)
        let types = try #require(object["types"] as? [[String: Any]])
        #expect(!types.isEmpty)
        for entry in types {
            let bytes = try #require(entry["byteCount"] as? Int)
            let parameters = try #require(entry["parameterCount"] as? Int)
            #expect(parameters > 0 && entry["bitsPerWeight"] as? Double == Double(8 * bytes) / Double(parameters))
        }
    }

    @Test(
        "A text is the same from weights and a cache that are not all in memory, and bench says how long it waited for them"
    )
    func files() throws {
        func run(_ limits: String...) throws -> EdgeLLMCommand.Outcome {
            try EdgeLLMCommand.run(
                arguments: [
                    "run", "-m", model, "-p", "The engine light", "--seed", "4", "-n", "200", "-c", "8192", "-q",
                ]
                    + limits)
        }
        let whole = try run()
        let files = try run("--weight-memory", "1M", "--cache-memory", "3M")
        #expect(whole.code == 0 && files.code == 0 && files.output == whole.output)
        let folder = try run("--cache-memory", "3M", "--spill-directory", "/nowhere")
        #expect(folder.code == 65 && folder.errors.contains("/nowhere"))
        for prefetch in ["on", "off"] {
            let outcome = try EdgeLLMCommand.run(
                "bench", "-m", model, "-p", "0", "-n", "4", "-d", "3000", "-b", "64", "-r", "1", "-t", "1",
                "--weight-memory", "1M", "--cache-memory", "1M", "--prefetch", prefetch)
            #expect(outcome.code == 0 && outcome.output.contains("waited"))
        }
    }

    @Test("bench gives a row for each test, with its share of the machine")
    func bench() throws {
        let outcome = try EdgeLLMCommand.run(
            "bench", "-m", model, "-p", "16,0", "-n", "4", "-d", "0,20", "-r", "2", "-t", "1", "-o", "json")
        #expect(outcome.code == 0, "\(outcome.errors)")
        let rows = try #require(JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [[String: Any]])
        #expect(rows.compactMap { $0["test"] as? String } == ["pp16", "tg4", "pp16", "tg4"])
        #expect(rows.compactMap { $0["depth"] as? Int } == [0, 0, 20, 20])
        for row in rows {
            let speed = try #require(row["tokensPerSecond"] as? Double)
            let lowest = try #require(row["lowest"] as? Double)
            let highest = try #require(row["highest"] as? Double)
            #expect(lowest > 0 && lowest <= speed && speed <= highest)
            #expect(row["share"] as? Double ?? 0 > 0)
        }
        let pair = try EdgeLLMCommand.run(
            "bench", "-m", model, "--beside", model, "-p", "16", "-n", "4", "-r", "3", "-t", "1", "-o", "json")
        let pairs = try #require(JSONSerialization.jsonObject(with: Data(pair.output.utf8)) as? [[String: Any]])
        #expect(pairs.compactMap { $0["test"] as? String } == ["pp16", "pp16", "tg4", "tg4"])
        #expect(pairs.map { $0["beside"] as? Double != nil } == [true, false, true, false])
        for row in pairs {
            guard let ratio = row["beside"] as? Double else { continue }
            let quartiles = try #require(row["besideQuartiles"] as? [Double])
            #expect(quartiles.count == 2 && 0 < quartiles[0] && quartiles[0] <= ratio && ratio <= quartiles[1])
        }
        #expect(try EdgeLLMCommand.run("bench", "-m", model, "--beside", "/nowhere.gguf").code == 65)
        let both = try EdgeLLMCommand.run(
            "bench", "-m", model, "-p", "0", "-n", "4", "-r", "3", "-t", "1", "--weight-memory", "1M", "--prefetch",
            "both", "-o", "json")
        let turns = try #require(JSONSerialization.jsonObject(with: Data(both.output.utf8)) as? [[String: Any]])
        #expect(
            turns.compactMap { ($0["model"] as? String)?.split(separator: ", ").last } == [
                "prefetch on", "prefetch off",
            ])
        #expect(turns.map { $0["beside"] as? Double != nil } == [true, false])
        #expect(
            try EdgeLLMCommand.run("bench", "-m", model, "--beside", model, "--prefetch", "both").code == 64)
        #expect(try EdgeLLMCommand.run("bench", "-p", "4").code == 64)
        #expect(try EdgeLLMCommand.run("bench", "--synthetic", "gpt-9:Q4_0").code == 64)
        #expect(try EdgeLLMCommand.run("synth", "smollm2-135m:Q4_0", "-o", "/nowhere/at/all.gguf").code == 65)
    }
}
