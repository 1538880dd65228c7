/// Turns breaker strings into the token sequences that can spell them.
package enum DryBreakers {
    /// A token breaks alone if its bytes hold the string; it begins a breaker if it ends in a beginning of the string,
    /// and then the rest of the string, tokenised, must follow.
    ///
    /// - Parameters:
    ///   - string: the bytes of the breaker; beyond 40 they are cut, as in llama.cpp.
    ///   - bytes: the bytes of all tokens, one after the other.
    ///   - ends: for each token, where its bytes end; they begin where those of the token before end.
    ///   - tokenise: the tokens of a rest, without special tokens. Called at most once for each rest.
    package static func sequences(
        for string: [UInt8], bytes: [UInt8], ends: [Int], tokenise: ([UInt8]) -> [Int32]
    ) -> [[Int32]] {
        let target = Array(string.prefix(40))
        guard !target.isEmpty else { return [] }
        // By the number of bytes a head covers.
        var rests = [[Int32]?](repeating: nil, count: target.count)
        var found: [[Int32]] = []
        var start = 0
        for (id, end) in ends.enumerated() {
            guard end >= start, end <= bytes.count, let token = Int32(exactly: id) else { return found }
            let word = bytes[start..<end]
            start = end
            if contains(word, target) {
                found.append([token])
                continue
            }
            for covered in 1..<max(target.count, 1) where word.count >= covered {
                guard word.suffix(covered).elementsEqual(target.prefix(covered)) else { continue }
                let rest = rests[covered] ?? tokenise(Array(target.dropFirst(covered)))
                rests[covered] = rest
                if !rest.isEmpty { found.append([token] + rest.prefix(20)) }
            }
        }
        return found
    }

    private static func contains(_ word: ArraySlice<UInt8>, _ target: [UInt8]) -> Bool {
        guard word.count >= target.count else { return false }
        for at in word.startIndex...(word.endIndex - target.count) where word[at] == target[0] {
            if word[at..<at + target.count].elementsEqual(target) { return true }
        }
        return false
    }
}
