internal import EdgeKernels

extension Architecture {
    /// The architectures that can be run, each by its differences from Llama.
    package static let all: [Architecture] = [
        // Llama 1 to 3, Mistral 7B, Mixtral, SmolLM, TinyLlama and many others (Touvron et al. 2023; Jiang et al. 2024).
        Architecture(name: "llama"),
        // Mistral 7B v0.1 under its own name: every layer sees a window (Jiang et al. 2023).
        Architecture(name: "mistral", windows: .allLayers),
        // Ministral 3: YaRN as the file details it, attention sharper beyond the original context.
        Architecture(name: "mistral3", readsYarnDetails: true),
        // Qwen 2 and 2.5: biases on queries, keys and values, which the file has (Yang et al. 2024).
        Architecture(name: "qwen2", rotaryPairs: .halves),
        // Qwen 3: norms of each head in place of the biases (Yang et al. 2025).
        Architecture(name: "qwen3", headNorm: .eachHead, rotaryPairs: .halves),
        Architecture(name: "qwen3moe", headNorm: .eachHead, rotaryPairs: .halves),
        // Phi 3 and 4: matrices fused, factors of frequencies by context length; both are in the file (Abdin et al. 2024).
        Architecture(name: "phi3", rotaryPairs: .halves),
        // Gemma: embeddings scaled, GELU in the gate (Mesnard et al. 2024).
        Architecture(name: "gemma", rotaryPairs: .halves, activation: .gelu, scalesEmbedding: true),
        // Gemma 2: norms on both sides, every other layer sees a window, scores and logits softly bounded (Rivière et al. 2024).
        Architecture(
            name: "gemma2", normPlacement: .beforeAndAfter, rotaryPairs: .halves,
            windows: .allButLast(of: 2, defaultWindow: 4096), attentionSoftCap: 50, blockCountOfWidthScale: 46,
            activation: .gelu, scalesEmbedding: true, logitSoftCap: 30),
        // Gemma 3: norms of each head in place of the bounds, five layers of six see a window and turn by a base of
        // their own (Kamath et al. 2025).
        Architecture(
            name: "gemma3", normPlacement: .beforeAndAfter, headNorm: .eachHead, rotaryPairs: .halves,
            windows: .allButLast(of: 6), windowedRotary: .unscaled(base: 10_000), blockCountOfWidthScale: 62,
            activation: .gelu, scalesEmbedding: true, logitSoftCap: 0),
        // Granite 3: Llama with multipliers.
        Architecture(name: "granite", readsMultipliers: true),
        // OLMo 2 and 3: norms behind the branches and over all heads at once; OLMo 3 sees windows (Walsh et al. 2025).
        Architecture(
            name: "olmo2", normPlacement: .after, headNorm: .allHeads, rotaryPairs: .halves,
            windows: .allButLast(of: 4), windowedRotary: .unscaled(base: nil)),
        // SmolLM 3: every fourth layer turns nothing (Yang et al. 2025, "RoPE to NoPE and back again").
        Architecture(name: "smollm3", unrotatedPeriod: 4),
        // StableLM 2: layer norms; the file says how much of a head turns (Bellagente et al. 2024).
        Architecture(name: "stablelm", norm: .layer, rotaryPairs: .halves),
        // StarCoder 2: layer norms, biases everywhere, no gate (Lozhkov et al. 2024).
        Architecture(name: "starcoder2", norm: .layer, rotaryPairs: .halves, activation: .gelu, isGated: false),
        // BERT and its many retrieval models: learned positions, norms behind each sum (Devlin et al. 2019).
        Architecture(
            name: "bert", norm: .layer, normPlacement: .afterSum, rotaryPairs: nil, activation: .gelu, isGated: false,
            isEncoder: true),
        // Nomic Embed: BERT with rotary embedding and a gate (Nussbaum et al. 2024).
        Architecture(
            name: "nomic-bert", norm: .layer, normPlacement: .afterSum, rotaryPairs: .halves, isEncoder: true),
    ]
}
