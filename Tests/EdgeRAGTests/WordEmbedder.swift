import EdgeRAG
import Synchronization

/// Gives texts that share words vectors that are near: each word a coordinate by its letters.
final class WordEmbedder: EmbeddingModel {
    let identifier: String
    let dimensionCount = 64
    let maximumInputTokens = 512
    /// Texts embedded so far.
    let count = Mutex(0)

    init(identifier: String = "words") { self.identifier = identifier }

    nonisolated(nonsending) func embed(_ texts: [String], as role: EmbeddingRole) async throws -> [Embedding] {
        count.withLock { $0 += texts.count }
        return texts.map { text in
            var values = [Float](repeating: 0, count: 64)
            for word in text.lowercased().split(whereSeparator: { !$0.isLetter && !$0.isNumber }) {
                var hash: UInt32 = 2_166_136_261
                for byte in word.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
                values[Int(hash >> 7) % 64] += 1
            }
            return Embedding(normalizing: values)
        }
    }
}
