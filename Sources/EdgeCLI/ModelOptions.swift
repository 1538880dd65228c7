public import ArgumentParser
public import EdgeLLM
internal import Foundation

/// Which model, and how it is loaded.
struct ModelOptions: ParsableArguments {
    @Option(name: [.customShort("m"), .long], help: "The GGUF file; of a split model, any part.")
    var model: String

    @Option(name: [.customShort("t"), .long], help: "Threads that compute. (default: the physical cores)")
    var threads: Int?

    @Option(name: .customLong("cache-type"), help: "How keys and values are stored.")
    var cacheType: GGUFLanguageModel.CachePrecision = .f16

    @Flag(help: "Multiply float weights by the system's BLAS; results then differ between machines.")
    var blas = false

    @Flag(help: "Read the weights into large pages: slower to load, faster to generate.")
    var largePages = false

    @Option(
        help:
            "Bytes of weights in memory at most, such as 900M or 2G; the others are read from the file for each token.")
    var weightMemory: ByteCount?

    @Flag(help: "Compare all weights with the checksums of the file's certificate first.")
    var verifyTensors = false

    @OptionGroup var spill: SpillOptions

    /// What the options say about loading.
    func loadOptions(
        contextSize: Int?, chatTemplate: String? = nil, prefixes: PrefixOptions? = nil, pack: URL? = nil
    ) -> GGUFLanguageModel.LoadOptions {
        GGUFLanguageModel.LoadOptions(
            contextSize: contextSize, threadCount: threads, cachePrecision: cacheType, chatTemplate: chatTemplate,
            usesBLAS: blas, usesLargePages: largePages, weightMemory: weightMemory?.value,
            cacheMemory: spill.cacheMemory?.value, spillFolder: spill.folder, prefixStore: prefixes?.store,
            pack: pack, verifiesTensors: verifyTensors)
    }

    func validate() throws {
        if let threads, !(1...256).contains(threads) { throw ValidationError("--threads must be 1 to 256.") }
    }
}

/// Where the beginnings of prompts are kept for the next time.
struct PrefixOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A folder that keeps what was computed of the beginnings of prompts, for the next time and for other processes.",
            valueName: "folder"))
    var prefixCache: String?

    @Option(help: "Megabytes that the folder may take; the longest unused files go. (default: 4096)")
    var prefixCacheSize: Int?

    func validate() throws {
        guard let prefixCacheSize else { return }
        if prefixCache == nil { throw ValidationError("--prefix-cache-size needs --prefix-cache.") }
        if !(1...1 << 30).contains(prefixCacheSize) {
            throw ValidationError("--prefix-cache-size must be 1 to \(1 << 30).")
        }
    }

    var store: PrefixStore? {
        prefixCache.map {
            PrefixStore(
                directory: URL(fileURLWithPath: $0, isDirectory: true), byteLimit: (prefixCacheSize ?? 4096) << 20)
        }
    }
}

/// How much of the keys and values is in memory, and where the rest lies.
struct SpillOptions: ParsableArguments {
    @Option(
        help:
            "Bytes of keys and values in memory at most, such as 64M; the rest lies in a file and is read for each token."
    )
    var cacheMemory: ByteCount?

    @Option(help: "The folder of that file. (default: the temporary folder)")
    var spillDirectory: String?

    var folder: URL? { spillDirectory.map { URL(fileURLWithPath: $0) } }

    func validate() throws {
        if spillDirectory != nil, cacheMemory == nil {
            throw ValidationError("--spill-directory needs --cache-memory.")
        }
    }
}

extension GGUFLanguageModel.CachePrecision: ExpressibleByArgument {}
