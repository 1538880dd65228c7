import EdgeGGUF
import EdgeModel
import EdgeTestSupport
import Foundation
import Synchronization

@testable import EdgeTokenizer

/// The vocabularies that llama.cpp publishes, each loaded once for all tests.
enum Recorded {
    static let names = ["bert-bge", "gpt-2", "llama-bpe", "llama-spm", "phi-3", "qwen2"]

    /// Those whose tokens cover every byte, so that any text survives a round trip.
    static let byteComplete = ["gpt-2", "llama-bpe", "llama-spm", "phi-3", "qwen2"]

    private static let loaded = Mutex<[String: Tokenizer]>([:])

    static func path(_ name: String) throws -> String {
        try SharedData.url("llama.cpp/models/ggml-vocab-\(name).gguf").path
    }

    static func vocabulary(_ name: String) throws -> Vocabulary { try Vocabulary(GGUFFile(path: path(name))) }

    static func tokenizer(_ name: String) throws -> Tokenizer {
        try loaded.withLock { known in
            if let tokenizer = known[name] { return tokenizer }
            let tokenizer = try Tokenizer(vocabulary(name))
            known[name] = tokenizer
            return tokenizer
        }
    }
}
