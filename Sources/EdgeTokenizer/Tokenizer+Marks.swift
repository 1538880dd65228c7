extension Tokenizer {
    /// A stretch of a text that the program writes.
    package enum Fragment: Sendable, Equatable {
        case text(String)
        /// A control token, or a user-defined one that is not all white space.
        case token(Int32)
    }

    /// A text of the program's own, cut at the tokens that it names.
    package func fragments(of text: String) -> [Fragment] {
        let bytes = Array(text.utf8)
        var fragments: [Fragment] = []
        for fragment in partition.split(bytes, trusted: [0..<bytes.count]) {
            switch fragment {
            case .token(let id) where tokens[Int(id)].contains { $0 > 0x20 }: fragments.append(.token(id))
            case .token(let id): fragments.append(.text(String(decoding: tokens[Int(id)], as: UTF8.self)))
            case .text(let range): fragments.append(.text(String(decoding: bytes[range], as: UTF8.self)))
            }
        }
        return fragments
    }
}
