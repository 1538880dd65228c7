import EdgeTestSupport
import EdgeTokenizer
import Foundation
import Testing

/// Ids that other implementations gave for texts in many languages.
@Suite("Recorded vocabularies", .enabled(if: SharedData.isPresent, "\(SharedData.reason)"))
struct RecordedVocabularyTests {
    @Test("Every published vocabulary is among the tested ones")
    func all() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: SharedData.url("llama.cpp/models").path)
        let names = files.filter { $0.hasSuffix(".gguf") }
            .map { String($0.dropFirst("ggml-vocab-".count).dropLast(".gguf".count)) }
        #expect(names.sorted() == Recorded.names)
    }

    @Test("Every text gives exactly the recorded ids", arguments: Recorded.names)
    func pairs(_ name: String) throws {
        let tokenizer = try Recorded.tokenizer(name)
        let path = try Recorded.path(name)
        let texts = try String(contentsOfFile: path + ".inp", encoding: .utf8)
            .components(separatedBy: "\n__ggml_vocab_test__\n")
        let lines = try String(contentsOfFile: path + ".out", encoding: .utf8).components(separatedBy: "\n")
        try #require(texts.count > 40 && texts.count <= lines.count)
        for (text, line) in zip(texts, lines) {
            let expected = line.split(separator: " ").compactMap { Int32($0) }
            let ids = tokenizer.encode(text, addSpecial: false, parseSpecial: false)
            #expect(ids == expected, "\(text.debugDescription)")
        }
    }

    /// One row of golden.jsonl. (`JSONSerialization` would drop a byte order mark at the start of a text.)
    struct Golden: Decodable {
        var text: String
        var llama2_sentencepiece: [Int32]?
        var llama3_bpe: [Int32]?
        var bert_wordpiece: [Int32]?
        var qwen2_bpe_llamacpp: [Int32]?
    }

    @Test("Texts in twelve languages give the ids of the reference implementations")
    func languages() throws {
        let lines = try String(contentsOf: SharedData.url("tokenizers/golden.jsonl"), encoding: .utf8)
            .split(separator: "\n")
        let rows = try lines.map { try JSONDecoder().decode(Golden.self, from: Data($0.utf8)) }
        var compared = 0
        func check(_ name: String, addSpecial: Bool, _ column: KeyPath<Golden, [Int32]?>) throws {
            let tokenizer = try Recorded.tokenizer(name)
            for row in rows {
                guard let expected = row[keyPath: column] else { continue }
                let ids = tokenizer.encode(row.text, addSpecial: addSpecial, parseSpecial: false)
                #expect(ids == expected, "\(name): \(row.text.prefix(80))")
                compared += 1
            }
        }
        try check("llama-spm", addSpecial: false, \.llama2_sentencepiece)
        try check("llama-bpe", addSpecial: false, \.llama3_bpe)
        try check("qwen2", addSpecial: false, \.qwen2_bpe_llamacpp)
        // The BERT column was recorded with [CLS] and [SEP].
        try check("bert-bge", addSpecial: true, \.bert_wordpiece)
        #expect(compared >= 4 * rows.count - 8 && !rows.isEmpty)
    }
}
