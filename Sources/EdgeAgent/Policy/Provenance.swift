/// The texts of a context by where they come from: what arguments are traced in.
struct Provenance: Sendable {
    /// The question that is being answered.
    var question: String
    /// Earlier questions that the model is given.
    var earlier: [String] = []
    var documents: [String] = []
    var outputs: [String] = []

    /// Why a call may not be made; nil where it may.
    func violation(of call: AgentCall, rule: ToolRule) -> String? {
        if let groups = rule.askedBy {
            let words = groups.isEmpty ? Self.words(ofName: call.tool) : groups
            guard isAsked(words) else { return "the user did not ask for it" }
        }
        guard case .structure(let members, let names)? = (try? GeneratedContent(json: call.arguments))?.kind else {
            return "the arguments are no JSON object"
        }
        for name in names {
            let rule = rule.arguments[name] ?? rule.otherArguments
            for leaf in members[name].map(Self.leaves) ?? [] {
                if let reason = violation(of: leaf, rule) { return "the argument \(name) \(reason)" }
            }
        }
        return nil
    }

    private func violation(of leaf: String, _ rule: ArgumentRule) -> String? {
        // Nothing flows in nothing.
        guard rule != .any, !leaf.allSatisfy(\.isWhitespace) else { return nil }
        let isUsers = ([question] + earlier).contains { Self.stands(leaf, in: $0) }
        switch rule {
        case .any: return nil
        case .fromUser: return isUsers ? nil : "is not what the user said"
        case .oneOf(let list): return list.contains(leaf) ? nil : "is none of those that are allowed"
        case .fromUserOr(let list):
            return isUsers || list.contains(leaf)
                ? nil : "is neither what the user said nor one of those that are allowed"
        case .notFromDocuments:
            let isOthers = (documents + outputs).contains { Self.stands(leaf, in: $0) }
            return isUsers || !isOthers ? nil : "comes from a document or a tool"
        }
    }

    /// The values within a value, as texts.
    private static func leaves(_ content: GeneratedContent) -> [String] {
        switch content.kind {
        case .string(let text): [text]
        case .array(let elements): elements.flatMap(leaves)
        case .structure(let members, let names):
            // A name that the model chose flows too.
            names.flatMap { name in [name] + (members[name].map(leaves) ?? []) }
        case .null: []
        default: [content.jsonString]
        }
    }

    /// Whether a text stands in another as words of their own, whatever their case and the white space between them.
    static func stands(_ part: String, in text: String) -> Bool {
        let (part, text) = (plain(part), plain(text))
        guard !part.isEmpty, part.count <= text.count else { return false }
        func isWord(_ character: Character) -> Bool { character.isLetter || character.isNumber || character == "_" }
        for start in 0...text.count - part.count where text[start..<start + part.count].elementsEqual(part) {
            let end = start + part.count
            let joinsBefore = start > 0 && isWord(text[start - 1]) && isWord(part[0])
            let joinsAfter = end < text.count && isWord(text[end]) && isWord(part[part.count - 1])
            // A number goes on behind its point.
            let isCutNumber =
                part[part.count - 1].isNumber && end + 1 < text.count && ".,".contains(text[end])
                && text[end + 1].isNumber
                || part[0].isNumber && start > 1 && ".,".contains(text[start - 1]) && text[start - 2].isNumber
                || part[0].isNumber && start > 0 && "-−".contains(text[start - 1])
                    && (start == 1 || !isWord(text[start - 2]))
            if !joinsBefore, !joinsAfter, !isCutNumber { return true }
        }
        return false
    }

    private static func plain(_ text: String) -> [Character] {
        Array(text.lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " "))
    }

    /// Whether the question has a word of each group, and the first is not denied.
    private func isAsked(_ groups: [[String]]) -> Bool {
        let words = Self.words(of: question)
        let denials: Set<String> = [
            "not", "don't", "dont", "don’t", "never", "without", "no", "cannot", "can't", "can’t", "didn't", "didn’t",
            "shouldn't", "shouldn’t", "mustn't", "mustn’t", "won't", "won’t",
        ]
        for (index, group) in groups.enumerated() {
            let places = words.indices.filter { place in group.contains { words[place].hasPrefix($0.lowercased()) } }
            let meant =
                index > 0 ? places : places.filter { !words[max(0, $0 - 3)..<$0].contains(where: denials.contains) }
            if meant.isEmpty { return false }
        }
        return true
    }

    private static func words(of text: String) -> [String] {
        text.lowercased().split { !$0.isLetter && !$0.isNumber && !"'’".contains($0) }.map(String.init)
    }

    /// The words of a tool's name, such as `clear_fault_codes` or `clearFaultCodes`, of which each must be said. An s at the end of one need
    /// not.
    private static func words(ofName name: String) -> [[String]] {
        var words: [String] = [""]
        for character in name {
            if !character.isLetter, !character.isNumber {
                words.append("")
            } else {
                if character.isUppercase, words.last?.last?.isLowercase == true { words.append("") }
                words[words.count - 1].append(character)
            }
        }
        return words.filter { !$0.isEmpty }.map { word in
            let word = word.lowercased()
            return [word.count > 3 && word.hasSuffix("s") ? String(word.dropLast()) : word]
        }
    }
}
