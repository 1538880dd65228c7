/// What the readers of grammars and patterns share: scalars, and how far they have been read.
protocol ScalarReader {
    var scalars: [Unicode.Scalar] { get }
    var position: Int { get set }
}

extension ScalarReader {
    var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    /// Steps over the text if it comes next.
    mutating func take(_ text: String) -> Bool {
        let wanted = Array(text.unicodeScalars)
        guard position + wanted.count <= scalars.count, Array(scalars[position..<position + wanted.count]) == wanted
        else {
            return false
        }
        position += wanted.count
        return true
    }
}
