/// The special ids and the kinds of all tokens, after llama.cpp's rules for what files leave out.
struct SpecialTokens {
    var kinds: [TokenKind]
    var bos, eos, eot, unk, sep, pad, mask: Int32?
    var endOfGeneration: [Int32] = []

    init(_ vocabulary: Vocabulary, _ family: TokenizerFamily) {
        let texts = vocabulary.tokens
        let count = texts.count
        kinds = [TokenKind](repeating: .normal, count: count)
        if let types = vocabulary.types {
            for index in 0..<count { kinds[index] = TokenKind(type: types[index]) }
        }
        // An id beyond the list falls back to the default of the family, and a default beyond the list to none.
        func id(_ given: Int?, _ standard: Int? = nil) -> Int32? {
            for candidate in [given, standard] {
                if let candidate, candidate >= 0, candidate < count { return Int32(truncatingIfNeeded: candidate) }
            }
            return nil
        }
        bos = id(vocabulary.bosId, family.bos)
        eos = id(vocabulary.eosId, family.eos)
        eot = id(vocabulary.eotId)
        unk = id(vocabulary.unkId, family.unk)
        sep = id(vocabulary.sepId, family.sep)
        pad = id(vocabulary.padId, family.pad)
        mask = id(vocabulary.maskId, family.mask)

        let found = Self.places(texts)
        func first(_ names: [String], _ given: Int32?, _ kinds: inout [TokenKind]) -> Int32? {
            if let given { return given }
            for name in names {
                if let place = found[name] {
                    kinds[Int(place)].insert(.control)
                    return place
                }
            }
            return nil
        }
        eot = first(KnownTokens.endOfTurn, eot, &kinds)
        let eom = first(["<|eom_id|>"], id(vocabulary.eomId), &kinds)
        _ = first(KnownTokens.fimPrefix, id(vocabulary.fimPreId), &kinds)
        _ = first(KnownTokens.fimSuffix, id(vocabulary.fimSufId), &kinds)
        _ = first(KnownTokens.fimMiddle, id(vocabulary.fimMidId), &kinds)
        var ends: Set<Int32> = []
        for special in [
            first(KnownTokens.fimPad, id(vocabulary.fimPadId), &kinds),
            first(KnownTokens.fimRepository, id(vocabulary.fimRepId), &kinds),
            first(KnownTokens.fimSeparator, id(vocabulary.fimSepId), &kinds), eos, eot, eom,
        ] {
            if let special { ends.insert(special) }
        }
        for name in KnownTokens.endOfGeneration {
            guard let place = found[name] else { continue }
            ends.insert(place)
            kinds[Int(place)].insert(.control)
        }
        for name in KnownTokens.shown {
            if let place = found[name] { show(place, as: .userDefined) }
        }
        func ending(_ name: String) -> Int32? { found[name].flatMap { ends.contains($0) ? $0 : nil } }
        let hasCall = ending("<|call|>") != nil || ending("<|calls|>") != nil
        if hasCall, ending("<|return|>") != nil || ending("<|flush|>") != nil, let end = ending("<|end|>") {
            ends.remove(end)
            show(end, as: .userDefined)
        }
        if ending("<|tool_response>") != nil || ending("<|plamo:eos|>") != nil, let end = ending("</s>") {
            ends.remove(end)
            show(end, as: .normal)
        }
        endOfGeneration = ends.sorted()
        for index in kinds.indices where !kinds[index].isDisjoint(with: [.control, .unknown]) {
            kinds[index].insert(.guarded)
        }
        applyStripping(vocabulary, found)
    }

    /// Makes a token part of what a reader sees. What was a control token stays out of reach of untrusted text.
    private mutating func show(_ token: Int32, as kind: TokenKind) {
        let isControl = !kinds[Int(token)].isDisjoint(with: [.control, .unknown])
        kinds[Int(token)] = isControl ? [kind, .guarded] : kind
    }

    /// Which special tokens take white space along is not in the file; the model's name tells.
    private mutating func applyStripping(_ vocabulary: Vocabulary, _ found: [String: Int32]) {
        let name = (vocabulary.modelName ?? "").lowercased()
        let pre = vocabulary.pre ?? ""
        let architecture = vocabulary.architecture ?? ""
        let isJina = ["jina-v2-de", "jina-v2-es", "jina-v2-code"].contains { pre.contains($0) }
        if isJina || architecture.contains("nomic-bert-moe") || architecture.contains("jina-bert-v3") {
            if let mask = found["<mask>"] { kinds[Int(mask)].insert(.stripsLeft) }
        } else if name.contains("phi-3") || name.contains("phi3") {
            for index in kinds.indices
            where !kinds[index].isDisjoint(with: .special) {
                kinds[index].insert(.stripsRight)
            }
            if let end = found["</s>"] { kinds[Int(end)].insert(.stripsRight) }
            for plain in ["<unk>", "<s>", "<|endoftext|>"] {
                if let place = found[plain] { kinds[Int(place)].remove(.stripsRight) }
            }
        } else if name.contains("modern-bert"), let mask = found["[MASK]"] {
            kinds[Int(mask)].insert(.stripsLeft)
        }
    }

    /// Where the texts that this file asks about stand in the vocabulary.
    private static func places(_ texts: PackedStrings) -> [String: Int32] {
        let names =
            KnownTokens.endOfGeneration + KnownTokens.fimPrefix + KnownTokens.fimSuffix
            + KnownTokens.fimMiddle + KnownTokens.fimPad + KnownTokens.fimRepository + KnownTokens.fimSeparator
            + KnownTokens.shown + ["<mask>", "[MASK]", "<unk>", "<s>", "<|plamo:eos|>"]
        let wanted = Set(names)
        let firstBytes = Set(wanted.compactMap(\.utf8.first))
        let longest = wanted.map(\.utf8.count).max() ?? 0
        var found: [String: Int32] = [:]
        for id in 0..<texts.count {
            let range = texts.range(id)
            guard range.count >= 3, range.count <= longest, firstBytes.contains(texts.bytes[range.lowerBound]) else {
                continue
            }
            let last = texts.bytes[range.upperBound - 1]
            guard last == 0x3E || last == 0x5D || last == 0x5B else { continue }
            let text = String(decoding: texts.bytes[range], as: UTF8.self)
            if wanted.contains(text) && found[text] == nil { found[text] = Int32(truncatingIfNeeded: id) }
        }
        return found
    }
}
