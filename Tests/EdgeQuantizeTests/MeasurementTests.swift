import EdgeGGUF
import EdgeLLM
import EdgeQuant
import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeQuantize

/// Texts like those the bundled model knows; the second is none of the first.
private let carTexts: (calibration: [UInt8], test: [UInt8]) = {
    func text(_ things: [String], _ acts: [String]) -> [UInt8] {
        var out = ""
        for thing in things {
            for act in acts {
                out +=
                    "To \(act) the \(thing), park the car on level ground and switch off the engine. The \(thing) is near the engine. "
            }
        }
        return Array(out.utf8)
    }
    return (
        text(["oil level", "coolant", "brake fluid", "battery", "tyre pressure"], ["check", "top up", "clean"]),
        text(["lamps", "wipers", "windscreen", "fuse"], ["replace", "look at", "check"])
    )
}()

@Suite("Measuring what quantization costs")
struct MeasurementTests {
    private func quantized(_ name: String, _ folder: ScratchFolder, importance: ImportanceMatrix? = nil) async throws
        -> URL
    {
        let output = folder.file("\(name).gguf")
        try await ModelQuantizer(
            contentsOf: carModel, options: .init(recipe: try recipe(name), importance: importance)
        ).write(to: output)
        return output
    }

    private func compare(_ base: URL, _ model: URL, threads: Int? = nil, kept: Int = 1024) async throws
        -> ModelComparison
    {
        try await ModelComparison.measure(
            base: base, model: model, on: carTexts.test, pieceLength: 64, keptTokenCount: kept, threadCount: threads)
    }

    @Test(
        "a model is no distance from itself, and the farther the fewer bits it has; the same with any number of threads"
    )
    func distances() async throws {
        let folder = try ScratchFolder()
        let same = try await compare(carModel, carModel)
        #expect(same.divergence.value == 0 && same.agreement.value == 1 && same.lossDifference.value == 0)
        #expect(same.pieceCount > 3 && same.scoredTokenCount == same.pieceCount * 31)
        #expect(abs(same.coveredProbability - 1) < 1e-9)
        let fine = try await compare(carModel, quantized("Q8_0", folder))
        let alone = try await compare(carModel, folder.file("Q8_0.gguf"), threads: 1)
        #expect(fine == alone)
        let four = try await compare(carModel, quantized("Q4_0", folder))
        #expect(fine.divergence.value > 0 && four.divergence.value > 4 * fine.divergence.value)
        #expect(four.divergence.standardError > 0 && four.divergence.interval.contains(four.divergence.value))
        #expect(four.divergence99 <= four.largestDivergence && four.divergence.value < four.largestDivergence)
        // What is kept of the distribution bounds the divergence from below.
        let few = try await compare(carModel, folder.file("Q4_0.gguf"), kept: 16)
        #expect(few.coveredProbability < 1 && few.divergence.value <= four.divergence.value + 1e-12)
        #expect(few.divergence.value > 0.5 * four.divergence.value)
    }

    @Test("what is kept of an original in a file gives nearly the figures that the original itself gives")
    func keptBase() async throws {
        let folder = try ScratchFolder()
        let model = try await quantized("Q4_0", folder)
        let together = try await compare(carModel, model, kept: 64)
        let measured = try await BaseDistributions.measure(carModel, on: carTexts.test, pieceLength: 64)
        try measured.write(to: folder.file("base"))
        #expect(BaseDistributions.isOne(folder.file("base")) && !BaseDistributions.isOne(model))
        let read = try BaseDistributions(contentsOf: folder.file("base"))
        let apart = try await ModelComparison.measure(base: read, model: model, on: carTexts.test)
        #expect(apart.loss == together.loss && apart.baseLoss == together.baseLoss)
        #expect(apart.agreement == together.agreement && apart.scoredTokenCount == together.scoredTokenCount)
        #expect(abs(apart.divergence.value - together.divergence.value) < 1e-6)
        await #expect(throws: QuantizationError.self) {
            _ = try await ModelComparison.measure(base: read, model: model, on: carTexts.calibration)
        }
        #expect(throws: QuantizationError.self) { try BaseDistributions(contentsOf: model) }
    }

    @Test("the perplexity is that of the model alone")
    func perplexity() async throws {
        let text = String(decoding: carTexts.test, as: UTF8.self)
        let model = try await GGUFLanguageModel(contentsOf: carModel)
        let alone = try await model.perplexity(of: text, pieceLength: 64)
        let together = try await compare(carModel, carModel)
        #expect(abs(alone.meanNegativeLogLikelihood - together.loss.value) < 1e-12)
    }

    @Test("an importance matrix is written and read, counts its tokens, and helps")
    func importance() async throws {
        let folder = try ScratchFolder()
        let measured = try await ImportanceMatrix.measure(
            carModel, on: carTexts.calibration, dataset: "cars", pieceLength: 64)
        #expect(measured.tensorNames.count == 42 && measured.chunkCount > 3)
        let output = folder.file("imatrix.gguf")
        try measured.write(to: output)
        let read = try ImportanceMatrix(contentsOf: output)
        #expect(read.tensorNames == measured.tensorNames && read.datasets == ["cars"])
        #expect(read.chunkCount == measured.chunkCount && read.chunkSize == 64)
        for name in read.tensorNames {
            #expect(read.entries[name]?.sums == measured.entries[name]?.sums)
            #expect(measured.entries[name]?.counts == [Float(64 * measured.chunkCount)])
        }
        let plain = try await compare(carModel, quantized("IQ4_NL", folder))
        let helped = try await compare(carModel, quantized("IQ4_NL", folder, importance: read))
        #expect(helped.divergence.value < plain.divergence.value)
        #expect(throws: QuantizationError.self) { try ImportanceMatrix(contentsOf: carModel) }
    }

    @Test(
        "error feedback lowers the divergence on what it was measured on, with the same bytes for any number of threads"
    )
    func feedback() async throws {
        let folder = try ScratchFolder()
        let feedback = try await ErrorFeedback.measure(carModel, on: carTexts.calibration, pieceLength: 64)
        var files: [Data] = []
        for count in 1...2 {
            let output = folder.file("fed.gguf")
            let options = ModelQuantizer.Options(recipe: try recipe("Q4_0"), feedback: feedback, threadCount: count)
            try await ModelQuantizer(contentsOf: carModel, options: options).write(to: output)
            files.append(try Data(contentsOf: output))
        }
        #expect(files[0] == files[1])
        // On so short a text it learns the text; with more of it others gain too (Benchmarks/QUANTIZE.md).
        func divergence(_ model: URL) async throws -> Double {
            try await ModelComparison.measure(
                base: carModel, model: model, on: carTexts.calibration, pieceLength: 64
            ).divergence.value
        }
        let plain = try await divergence(quantized("Q4_0", folder))
        let fed = try await divergence(folder.file("fed.gguf"))
        #expect(fed < 0.8 * plain)
        let error = await #expect(throws: QuantizationError.self) {
            _ = try await ErrorFeedback.measure(
                carModel, on: carTexts.calibration, pieceLength: 64, memoryLimit: 1 << 20)
        }
        #expect(error?.code == .invalidOptions)
    }

    @Test("control tokens are read as such where asked, and a certificate says so and holds")
    func controlTokens() async throws {
        let folder = try ScratchFolder()
        let assistant = packageRoot.appendingPathComponent("Fixtures/edge-assistant.gguf")
        let text = [UInt8](
            String(repeating: "<|user|>Question: How hot is the oil?<|end|><|assistant|>Hot.<|end|>", count: 12).utf8)
        let plain = try await ModelComparison.measure(base: assistant, model: assistant, on: text, pieceLength: 32)
        let special = try await ModelComparison.measure(
            base: assistant, model: assistant, on: text, parsesSpecialTokens: true, pieceLength: 32)
        #expect(special.pieceCount < plain.pieceCount)
        let output = folder.file("certified.gguf")
        _ = try await QualityCertificate.certify(
            assistant, base: assistant, to: output, on: text, textName: "chat", parsesSpecialTokens: true,
            pieceLength: 32)
        let read = try #require(try QualityCertificate(contentsOf: output))
        #expect(read.parsesSpecialTokens && read.figures == special)
        #expect(try await read.discrepancies(of: output, base: assistant, on: text).isEmpty)
    }

    @Test("an importance matrix of another model is refused")
    func foreignImportance() throws {
        var matrix = ImportanceMatrix(entries: [:], datasets: [], chunkCount: 1, chunkSize: 8)
        matrix.entries["blk.0.attn_q.weight"] = .init(sums: [1, 2, 3], counts: [1])
        let options = ModelQuantizer.Options(recipe: try recipe("Q4_0"), importance: matrix)
        let error = #expect(throws: QuantizationError.self) {
            try ModelQuantizer(contentsOf: carModel, options: options)
        }
        #expect(error?.code == .invalidImportance)
    }

    @Test("types that are reckoned lose about what they lose when measured, and sizes are the same")
    func reckoning() async throws {
        let types = try ["Q8_0", "Q5_1", "Q4_0", "IQ4_NL"].map { try #require(TensorType($0)) }
        func measure(_ effort: MixedPrecision.Effort) async throws -> MixedPrecision {
            try await MixedPrecision.measure(
                carModel, on: carTexts.calibration, types: types, effort: effort, pieceLength: 64, maximumPieces: 4)
        }
        let (all, two) = (try await measure(.everyType), try await measure(.twoTypes))
        #expect(all.tensors.map(\.name) == two.tensors.map(\.name) && all.fixedByteCount == two.fixedByteCount)
        for (whole, part) in zip(all.tensors, two.tensors) {
            #expect(
                Set(whole.choices.map { "\($0.type) \($0.byteCount)" })
                    == Set(part.choices.map { "\($0.type) \($0.byteCount)" }))
        }
        func total(_ measured: MixedPrecision, _ type: String) -> Double {
            measured.tensors.reduce(0) { sum, tensor in
                sum + (tensor.choices.first { $0.type == type }?.divergence ?? 0)
            }
        }
        for type in ["Q5_1", "Q4_0", "IQ4_NL"] {
            let ratio = total(two, type) / total(all, type)
            #expect((0.5...2).contains(ratio), "\(type): \(ratio)")
        }
        #expect(total(two, "Q8_0") == total(all, "Q8_0"))
    }

    @Test("mixes keep their budget and get better with it")
    func mixes() async throws {
        let types = try ["Q8_0", "Q4_0"].map { try #require(TensorType($0)) }
        let measured = try await MixedPrecision.measure(
            carModel, on: carTexts.calibration, types: types, pieceLength: 64, maximumPieces: 2)
        #expect(measured.tensors.count == 43)
        let frontier = measured.frontier
        #expect(zip(frontier, frontier.dropFirst()).allSatisfy { $0.byteCount < $1.byteCount })
        #expect(zip(frontier, frontier.dropFirst()).allSatisfy { $0.predictedDivergence > $1.predictedDivergence })
        let smallest = try #require(frontier.first)
        let budget = smallest.byteCount + 100_000
        let mix = try measured.mix(byteBudget: budget)
        #expect(mix.byteCount <= budget && mix.predictedDivergence < smallest.predictedDivergence)
        #expect(throws: QuantizationError.self) { try measured.mix(byteBudget: smallest.byteCount - 1) }
        #expect(measured.svg(others: [("a < b", 900_000, 0.01)]).contains("a &lt; b"))
        let folder = try ScratchFolder()
        let output = folder.file("mix.gguf")
        let done = try await AutomaticQuantization.write(
            carModel, to: output, options: .init(recipe: try recipe("Q4_0")), goal: .fileByteCount(900_000),
            text: carTexts.calibration, types: types, pieceLength: 64, maximumPieces: 2, measurement: measured)
        let size = try #require(FileManager.default.attributesOfItem(atPath: output.path)[.size] as? Int)
        #expect(size <= 900_000 && done.divergence > 0)
        let target = done.divergence / 2
        let better = try await AutomaticQuantization.write(
            carModel, to: output, options: .init(recipe: try recipe("Q4_0")), goal: .divergence(target),
            text: carTexts.calibration, types: types, pieceLength: 64, maximumPieces: 2, measurement: measured)
        #expect(better.divergence <= target && better.mix.byteCount > done.mix.byteCount)
        #expect(folder.names == ["mix.gguf"])
    }

    @Test("a certificate holds, is found broken when a weight changes, and is checked at load when asked")
    func certificates() async throws {
        let folder = try ScratchFolder()
        let model = try await quantized("Q8_0", folder)
        let certified = folder.file("certified.gguf")
        let made = try await QualityCertificate.certify(
            model, base: carModel, to: certified, on: carTexts.test, textName: "cars",
            calibration: carTexts.calibration,
            pieceLength: 64)
        let read = try #require(try QualityCertificate(contentsOf: certified))
        #expect(read == made && read.figures.divergence.value > 0)
        #expect(try QualityCertificate(contentsOf: model) == nil)
        try await QualityCertificate.verifyTensors(of: certified)
        #expect(try await read.discrepancies(of: certified, base: carModel, on: carTexts.test, threadCount: 1).isEmpty)
        #expect(try await read.discrepancies(of: certified, base: carModel, on: carTexts.calibration).count == 1)
        #expect(try await read.discrepancies(of: certified, base: model, on: carTexts.test).count == 1)
        _ = try await GGUFLanguageModel(contentsOf: certified, options: .init(verifiesTensors: true))

        let file = try GGUFFile(path: certified.path)
        let tensor = try #require(file.tensor(named: "blk.2.attn_q.weight"))
        var bytes = [UInt8](try Data(contentsOf: certified))
        bytes[tensor.fileOffset + 77] ^= 1
        let broken = folder.file("broken.gguf")
        try Data(bytes).write(to: broken)
        await #expect(throws: ModelLoadingError.self) { try await QualityCertificate.verifyTensors(of: broken) }
        let error = await #expect(throws: ModelLoadingError.self) {
            _ = try await GGUFLanguageModel(contentsOf: broken, options: .init(verifiesTensors: true))
        }
        #expect(error?.key == "blk.2.attn_q.weight")
        _ = try await GGUFLanguageModel(contentsOf: broken)
        await #expect(throws: ModelLoadingError.self) {
            _ = try await GGUFLanguageModel(contentsOf: model, options: .init(verifiesTensors: true))
        }
        await #expect(throws: QuantizationError.self) {
            _ = try await QualityCertificate.certify(
                model, base: carModel, to: certified, on: carTexts.test, textName: "cars", calibration: carTexts.test)
        }
    }
}
