internal import EdgeEngine
internal import EdgeGGUF
package import EdgeModel
public import Foundation

/// A LoRA adapter: a small change of a model's weights, read from a GGUF file and applied while the model runs.
///
/// The model's own weights stay as they are, shared by everyone who uses the model; which adapters act, and how strongly, is chosen
/// anew for each request.
///
/// ```swift
/// let style = try await model.loadAdapter(contentsOf: url)
/// let answer = try await model.completion(of: prompt, adapters: [style.scaled(by: 0.5)])
/// ```
public struct LoRAAdapter: Sendable, Equatable {
    package let adapter: EdgeModel.LoRAAdapter
    /// How strongly it acts: 1 as it was trained, 0 not at all, below 0 the other way.
    public var scale: Double

    /// The name its file gives, if any.
    public var name: String? { adapter.name }
    /// Bytes of its file.
    public var byteCount: Int { adapter.byteCount }

    /// The same adapter, acting so many times as strongly as it was trained.
    public func scaled(by scale: Double) -> LoRAAdapter { LoRAAdapter(adapter: adapter, scale: scale) }

    /// Whether both are the same adapter, loaded once, at the same scale.
    public static func == (left: LoRAAdapter, right: LoRAAdapter) -> Bool {
        left.adapter === right.adapter && left.scale == right.scale
    }

    package var applied: AppliedAdapter { AppliedAdapter(adapter, scale: Float(scale)) }
}

extension GGUFLanguageModel {
    /// Loads an adapter that was made for this model; `convert_lora_to_gguf.py` of llama.cpp makes such files.
    ///
    /// - Throws: `ModelLoadingError`, with the code `adapterMismatch` when the adapter belongs to another model.
    public func loadAdapter(contentsOf url: URL) async throws -> LoRAAdapter {
        // Off the caller's actor, as with models.
        try await Task.detached { try loadAdapter(path: url.path) }.value
    }

    package func loadAdapter(path: String) throws -> LoRAAdapter {
        try LoRAAdapter(path: path, for: engine.model)
    }
}

extension LoRAAdapter {
    init(path: String, for model: Model) throws {
        adapter = try ModelLoadingError.reporting(path) { try EdgeModel.LoRAAdapter(GGUFFile(path: path), for: model) }
        scale = 1
    }
}
