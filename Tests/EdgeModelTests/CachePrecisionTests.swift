import EdgeGGUF
import EdgeKernels
import EdgeModel
import EdgePlatform
import EdgeTestSupport
import EdgeTokenizer
import Foundation
import Testing

/// What storing keys and values in fewer bits does to the distribution of the next token.
@Suite("Cache precision") struct CachePrecisionTests {
    /// The mean Kullback-Leibler divergence from the first's distributions to the second's, in nats; [tokens, width].
    private func divergence(_ exact: [Float], _ other: [Float], width: Int) -> Double {
        func logProbabilities(_ row: ArraySlice<Float>) -> [Double] {
            let largest = Double(row.max() ?? 0)
            let total = log(row.reduce(0) { $0 + exp(Double($1) - largest) })
            return row.map { Double($0) - largest - total }
        }
        var sum = 0.0
        for start in stride(from: 0, to: exact.count, by: width) {
            let (p, q) = (
                logProbabilities(exact[start..<start + width]), logProbabilities(other[start..<start + width])
            )
            sum += zip(p, q).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
        }
        return sum / Double(exact.count / width)
    }

    /// In exact arithmetic otherwise: rounding of activations would add its own.
    private func check(_ model: Model, _ ids: [Int32], name: String, context: Int = 256) throws {
        let exact = try logits(model, ids, pieces: [ids.count], context: context, precision: .f32, path: .exact)
        var line = name
        for precision in [CachePrecision.f16, .q8_0, .q4_0] {
            let mine = try logits(model, ids, pieces: [ids.count], context: context, precision: precision, path: .exact)
            let value = divergence(exact, mine, width: model.vocabularySize)
            line += String(format: "  %@ %.6f", precision.rawValue, value)
            // llama.cpp publishes 0.00098 for a q8_0 cache.
            let limit: Double = [CachePrecision.f16: 1e-5, .q8_0: 0.00098, .q4_0: 0.5][precision] ?? 0
            #expect(value >= -1e-9 && value <= limit, "\(name) \(precision): \(value)")
            // How the prompt is cut and how many threads there are changes no bit.
            for pieces in [[1, 20, ids.count - 21], [ids.count - 3, 1, 1, 1]] {
                let cut = try logits(
                    model, ids, pieces: pieces, threads: 2, context: context, precision: precision, path: .exact)
                #expect(cut == mine, "\(name) \(precision) \(pieces)")
            }
        }
        print("KL divergence from an f32 cache: " + line)
    }

    @Test(
        "The bundled models' distributions stay near, and their bits the same for any cut",
        arguments: ["edge-car-1m", "edge-assistant"])
    func bundled(name: String) throws {
        let model = try Model(GGUFFile(path: fixtures.appendingPathComponent(name + ".gguf").path))
        let text =
            "The engine light is on and the car shakes. Stop, switch the engine off and let it cool down. Check the oil "
            + "level, the coolant and the belts. If the brake pedal feels soft, do not drive on; have the brake fluid checked."
        let ids = try model.makeTokenizer().encode(text, addSpecial: true, parseSpecial: false)
        try check(model, ids, name: "\(name), \(ids.count) tokens")
    }

    @Test(
        "So do those of the recorded models",
        .enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)), arguments: GoldenModel.all)
    func recorded(golden: GoldenModel) throws {
        let model = try Model(GGUFFile(path: SharedData.url("golden/" + golden.file).path))
        try check(model, golden.prompt_ids + (golden.greedy_ids ?? []), name: golden.name, context: golden.n_ctx)
    }
}
