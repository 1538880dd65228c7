import EdgeTestSupport
import Foundation
import Testing

@Suite(
    "The commands that quantize and measure",
    .enabled(if: FileManager.default.isExecutableFile(atPath: EdgeLLMCommand.url.path)))
struct QuantizeCommandTests {
    private let model = fixtures.appendingPathComponent("edge-car-1m.gguf").path
    private let text = String(
        repeating:
            "To check the oil level, park the car on level ground. Switch off the engine and wait five minutes. ",
        count: 30)
    private let other = String(
        repeating: "The battery lamp is on. Drive to a garage soon and let the belt be checked. ", count: 40)

    /// Runs a body with a folder that is gone afterwards.
    private func inFolder(_ body: (_ file: (String) -> String, _ names: () -> [String]) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("edge-quantize-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(
            { folder.appendingPathComponent($0).path },
            { ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted() })
    }

    @Test("a model is quantized, measured, certified, shown and verified")
    func wholeWay() throws {
        try inFolder { file, _ in
            for (name, content) in [("text", text), ("other", other)] {
                try Data(content.utf8).write(to: URL(fileURLWithPath: file(name)))
            }
            let matrix = try EdgeLLMCommand.run(
                "imatrix", "-m", model, "-f", file("text"), "-o", file("imatrix"), "-c", "64")
            #expect(matrix.code == 0 && matrix.errors.contains("42 tensors"), "\(matrix)")
            let made = try EdgeLLMCommand.run(
                "quantize", model, file("q4"), "q4_0", "--imatrix", file("imatrix"), "--tensor-type", "attn_v=Q8_0",
                "-t", "2")
            #expect(made.code == 0 && made.output.isEmpty, "\(made)")
            let compared = try EdgeLLMCommand.run(
                "compare", model, file("q4"), "-f", file("other"), "-c", "64", "--json")
            let report = try #require(
                JSONSerialization.jsonObject(with: Data(compared.output.utf8)) as? [String: Any])
            let figures = try #require(report["figures"] as? [String: Any])
            let divergence = try #require((figures["divergence"] as? [String: Any])?["value"] as? Double)
            #expect(divergence > 0 && divergence < 1)
            let certified = try EdgeLLMCommand.run(
                "certify", model, file("q4"), "-o", file("certified"), "-f", file("other"), "-c", "64",
                "--calibration", file("text"))
            #expect(certified.code == 0 && certified.output.contains("divergence (KL)"), "\(certified)")
            let shown = try EdgeLLMCommand.run("inspect", file("certified"))
            #expect(shown.output.contains("Certificate, by edge-llm") && shown.output.contains("divergence (KL)"))
            #expect(!(try EdgeLLMCommand.run("inspect", file("q4")).output.contains("Certificate")))
            let verified = try EdgeLLMCommand.run(
                "verify", file("certified"), "--base", model, "-f", file("other"), "-t", "1")
            #expect(verified.code == 0 && verified.output.contains("to the last bit"), "\(verified)")
            let wrong = try EdgeLLMCommand.run("verify", file("certified"), "--base", model, "-f", file("text"))
            #expect(wrong.code == 65 && wrong.errors.contains("does not hold"))
            let run = try EdgeLLMCommand.run(
                "run", "-m", file("certified"), "--verify-tensors", "-p", "The car", "-n", "4", "-q")
            #expect(run.code == 0)
            #expect(try EdgeLLMCommand.run("run", "-m", file("q4"), "--verify-tensors", "-p", "The car").code == 65)
        }
    }

    @Test("what is lost of tasks is compared, certified, shown and verified")
    func tasks() throws {
        let assistant = fixtures.appendingPathComponent("edge-assistant.gguf").path
        let held = try String(
            contentsOf: fixtures.appendingPathComponent("assistant/held.jsonl"), encoding: .utf8
        ).split(separator: "\n")
        try inFolder { file, _ in
            try Data(other.utf8).write(to: URL(fileURLWithPath: file("other")))
            try Data(held.prefix(6).joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: file("cases")))
            try Data(held.prefix(5).joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: file("others")))
            let made = try EdgeLLMCommand.run("quantize", assistant, file("q2"), "q2_k", "--pure", "--allow-requantize")
            #expect(made.code == 0, "\(made)")
            let same = try EdgeLLMCommand.run("compare", assistant, assistant, "--tasks", file("cases"), "--json")
            let report = try #require(JSONSerialization.jsonObject(with: Data(same.output.utf8)) as? [String: Any])
            let figures = try #require(report["figures"] as? [[String: Any]])
            #expect(figures.first?["measure"] as? String == "tools" && figures.first?["count"] as? Int == 6)
            #expect(figures.allSatisfy { $0["lostCount"] as? Int == 0 && $0["gainedCount"] as? Int == 0 })
            let compared = try EdgeLLMCommand.run("compare", assistant, file("q2"), "--tasks", file("cases"), "-t", "1")
            #expect(compared.code == 0 && compared.output.contains("right tools"), "\(compared)")
            let certified = try EdgeLLMCommand.run(
                "certify", assistant, file("q2"), "-o", file("certified"), "-f", file("other"), "-c", "64", "--tasks",
                file("cases"))
            #expect(certified.code == 0 && certified.output.hasSuffix(compared.output), "\(certified)")
            let shown = try EdgeLLMCommand.run("inspect", file("certified"))
            #expect(shown.output.contains("Tasks cases (") && shown.output.hasSuffix(compared.output), "\(shown)")
            func verify(_ more: String...) throws -> EdgeLLMCommand.Outcome {
                try EdgeLLMCommand.run(
                    arguments: ["verify", file("certified"), "--base", assistant, "-f", file("other")] + more)
            }
            #expect(try verify("--tasks", file("cases"), "-t", "1").output.contains("all figures came out again"))
            #expect(try verify().output.contains("those of tasks need --tasks"))
            let wrong = try verify("--tasks", file("others"))
            #expect(wrong.code == 65 && wrong.output.contains("not those that were certified (cases)"), "\(wrong)")
        }
    }

    @Test("types are chosen for a size and for a divergence")
    func automatic() throws {
        try inFolder { file, names in
            try Data(text.utf8).write(to: URL(fileURLWithPath: file("text")))
            let made = try EdgeLLMCommand.run(
                "quantize", model, file("small"), "--budget", "850000", "-f", file("text"), "--types", "Q8_0,Q4_0",
                "-c",
                "64", "--chunks", "2", "--frontier", file("frontier"))
            #expect(made.code == 0 && made.output.contains("token_embd.weight"), "\(made)")
            let size = try #require(FileManager.default.attributesOfItem(atPath: file("small"))[.size] as? Int)
            #expect(size <= 850_000 && size > 700_000)
            #expect(try String(contentsOfFile: file("frontier"), encoding: .utf8).contains("<polyline"))
            let never = try EdgeLLMCommand.run(
                "quantize", model, file("none"), "--budget", "1K", "-f", file("text"), "--types", "Q4_0", "-c", "64",
                "--chunks", "1")
            #expect(never.code == 64 && never.errors.contains("smallest"), "\(never)")
            #expect(names() == ["frontier", "small", "text"])
        }
    }

    @Test("what cannot be is one line and a code, and leaves nothing")
    func failures() throws {
        try inFolder { file, names in
            let out = file("out")
            for (arguments, code) in [
                (["quantize", model, out, "Q4_9"], 64), (["quantize", model, out], 64),
                (["quantize", model, out, "Q4_0", "--tensor-type", "attn_v"], 64),
                (["quantize", model, out, "Q4_0", "--tensor-type", "nothing=Q8_0"], 64),
                (["quantize", model, out, "Q4_0", "--target-kld", "1", "--budget", "1M"], 64),
                (["quantize", file("missing"), out, "Q4_0"], 65),
                (["quantize", model, file("missing/out"), "Q4_0"], 74),
                (["verify", model], 65), (["verify", model, "--base", model], 64),
                (["compare", model, fixtures.appendingPathComponent("one-layer.gguf").path, "-p", text], 65),
                (["compare", model, model, "-p", "short"], 64),
                (["imatrix", "-m", model, "-p", text, "-o", file("missing/out"), "-c", "64"], 74),
            ] {
                let outcome = try EdgeLLMCommand.run(arguments: arguments)
                #expect(outcome.code == Int32(code), "\(arguments): \(outcome)")
                #expect(outcome.errors.split(separator: "\n").count == 1, "\(arguments): \(outcome.errors)")
            }
            #expect(names().isEmpty)
        }
    }

    @Test("where the disk is full nothing is left, and the code says so")
    func fullDisk() throws {
        try inFolder { file, names in
            // Files may not grow beyond some kilobytes, and writing more fails as it does on a full disk.
            let (process, stdin, _, stderr) = EdgeLLMCommand.process([])
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = [
                "-c", "trap '' XFSZ; ulimit -f 200; exec \"$0\" \"$@\"", EdgeLLMCommand.url.path, "quantize", model,
                file("out"), "Q8_0",
            ]
            try process.run()
            try stdin.fileHandleForWriting.close()
            let errors = String(decoding: try stderr.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == 74 && errors.contains("write"), "\(errors)")
            #expect(names().isEmpty)
        }
    }

    @Test("an interrupt leaves nothing and ends with code 130")
    func interrupt() throws {
        try inFolder { file, names in
            let synth = try EdgeLLMCommand.run("synth", "llama-3.2-1b/16:F16", "-o", file("model"))
            #expect(synth.code == 0)
            let (process, stdin, _, stderr) = EdgeLLMCommand.process(["quantize", file("model"), file("out"), "Q2_K"])
            try process.run()
            try stdin.fileHandleForWriting.close()
            // From the moment the temporary file is there the work has begun.
            while process.isRunning, !names().contains(where: { $0.hasSuffix(".tmp") }) { usleep(1000) }
            process.interrupt()
            let errors = String(decoding: try stderr.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationReason == .exit && process.terminationStatus == 130)
            #expect(errors.contains("interrupted"))
            #expect(names() == ["model"])
        }
    }
}
