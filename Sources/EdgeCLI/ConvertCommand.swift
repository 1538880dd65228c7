public import ArgumentParser
public import EdgeLLM
import Foundation
import Synchronization

/// `edge-llm convert`: a Hugging Face folder to a GGUF file.
struct ConvertCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert", abstract: "Convert a Hugging Face folder to a GGUF file.",
        discussion:
            "The folder has config.json, safetensors (plain, or quantized to 4 bits by GPTQ or AWQ) and a tokenizer. Without --type "
            + "each matrix keeps the type it has, so that nothing is lost.")

    @Argument(help: "The folder.", completion: .directory)
    var folder: String

    @Argument(help: "The file to write.", completion: .file(extensions: ["gguf"]))
    var output: String

    @Option(help: "Type of matrices: stored, f32, f16, bf16 or q8_0.")
    var type: ModelConversion.WeightType = .stored

    @Option(help: "The model's name. (default: the folder's)")
    var name: String?

    @Option(
        help: ArgumentHelp(
            "How text is cut into words, by GGUF's name such as 'default', where the tokenizer's own way is not known.",
            valueName: "name"))
    var preTokenizer: String?

    @Flag(help: "Leave the tokenizer out; the model then takes no text.")
    var noTokenizer = false

    @Option(name: .shortAndLong, help: "Threads that compute. (default: the physical cores)")
    var threads: Int?

    func run() async throws {
        let options = ModelConversion.Options(
            weightType: type, preTokenizer: preTokenizer, name: name, includesTokenizer: !noTokenizer,
            threadCount: threads)
        let interruption = await Interruption()
        defer { withExtendedLifetime(interruption) {} }
        let (folder, output) = (URL(fileURLWithPath: folder), URL(fileURLWithPath: output))
        let work = Task {
            let conversion = try await ModelConversion(folder: folder, options: options)
            for note in conversion.notes { Terminal.note("edge-llm: note: \(note)") }
            // The bar counts in whole megabytes.
            let bar = ProgressBar(total: max(1, conversion.byteCount >> 20))
            defer { bar.clear() }
            let drawn = Mutex(-1)
            try await conversion.write(to: output) { progress in
                let done = progress.writtenByteCount >> 20
                let isNew = drawn.withLock { last in
                    defer { last = done }
                    return last != done
                }
                if isNew { bar.draw(done, note: "MiB") }
            }
            return conversion
        }
        interruption.cancels { work.cancel() }
        let conversion = try await work.value
        let size = try FileManager.default.attributesOfItem(atPath: output.path)[.size] as? Int
        Terminal.note(
            "edge-llm: wrote \(output.path): \(conversion.architecture), \(conversion.parameterCount) weights, "
                + Terminal.size(size ?? 0))
    }
}

extension ModelConversion.WeightType: ExpressibleByArgument {}
