import EdgeGGUF
import EdgeModel
import EdgeTokenizer
import Foundation

extension Workload {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static let shared =
        ProcessInfo.processInfo.environment["EDGE_SHARED_DATA"]
        .map { URL(fileURLWithPath: $0) } ?? root.deletingLastPathComponent().appendingPathComponent("shared/data")

    /// Loading each vocabulary there is, and encoding a megabyte of text with it, on one thread.
    static func tokenizing() -> [Workload] {
        var vocabularies = [("bundled", root.appendingPathComponent("Fixtures/edge-car-1m.gguf"))]
        for name in ["llama-spm", "llama-bpe", "qwen2", "gpt-2", "bert-bge"] {
            vocabularies.append((name, shared.appendingPathComponent("llama.cpp/models/ggml-vocab-\(name).gguf")))
        }
        let text = text(byteCount: 1_000_000)
        var workloads: [Workload] = []
        for (name, url) in vocabularies {
            guard let tokenizer = try? Tokenizer(GGUFFile(path: url.path)) else { continue }
            workloads.append(
                Workload("tokenizer \(name): load \(tokenizer.count) tokens") {
                    (try? Tokenizer(GGUFFile(path: url.path)))?.count ?? 0
                })
            workloads.append(
                Workload("tokenizer \(name): encode 1 MB of text") {
                    tokenizer.encode(bytes: text, addSpecial: false, parseSpecial: false).count
                })
            workloads.append(
                Workload("tokenizer \(name): encode 1 MB of one letter") {
                    tokenizer.encode(
                        bytes: [UInt8](repeating: 0x61, count: 1_000_000), addSpecial: false, parseSpecial: false
                    ).count
                })
        }
        return workloads
    }

    /// An encyclopedia where it is at hand, else this project's own documents again and again.
    private static func text(byteCount: Int) -> [UInt8] {
        let book = shared.appendingPathComponent("perplexity/wikitext-2-raw/wiki.test.raw")
        let readme = root.appendingPathComponent("README.md")
        guard let data = (try? Data(contentsOf: book)) ?? (try? Data(contentsOf: readme)), !data.isEmpty else {
            return []
        }
        var bytes = [UInt8](data.prefix(byteCount))
        while bytes.count < byteCount { bytes += bytes.prefix(byteCount - bytes.count) }
        return bytes
    }
}
