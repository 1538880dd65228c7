/// The text around the parts of a call, as a family of models writes it.
///
/// A turn's calls are `mark prefix NAME middle ARGUMENTS join NAME middle ARGUMENTS … suffix`.
package struct ToolSyntax: Sendable, Equatable {
    /// How arguments are written.
    package enum Arguments: Sendable, Equatable {
        /// As a JSON object.
        case json
        /// Each as `before KEY middle VALUE after`; texts as they are, other values as JSON.
        case tagged(before: String, middle: String, after: String)
    }

    /// What opens the calls; empty where they are the whole answer.
    package var mark: String
    /// Other marks that do the same.
    package var otherMarks: [String] = []
    package var prefix: String
    package var middle: String
    package var arguments = Arguments.json
    package var suffix: String
    /// What stands between two calls; nil where a turn has one call at most.
    package var join: String?

    package init(
        mark: String, prefix: String, middle: String, arguments: Arguments = .json, suffix: String, join: String? = nil
    ) {
        self.mark = mark
        self.prefix = prefix
        self.middle = middle
        self.arguments = arguments
        self.suffix = suffix
        self.join = join
    }

    /// Stands in the texts for an identifier of nine letters and digits.
    package static let identifier: Character = "\u{FFFC}"
    /// Stands in the texts for a number.
    package static let number: Character = "\u{FFFB}"

    /// JSON objects with the name and the arguments, each on a line, and nothing else: for models that know no form of their own.
    package static let generic = ToolSyntax(
        mark: "", prefix: #"{"name": ""#, middle: #"", "arguments": "#, suffix: "}", join: "}\n{\"name\": \"")

    /// The form whose marks a template speaks of without writing calls itself; nil where it speaks of none, or of one that cannot be
    /// told from its marks.
    static func mentioned(in source: String) -> ToolSyntax? {
        let (name, middle) = (#"{"name": ""#, #"", "arguments": "#)
        let others = ["[TOOL_CALLS]", "<|START_ACTION|>"]
        if others.contains(where: { source.contains($0) }) || source.contains("Action:") && source.contains("```json") {
            return nil
        }
        // Phi-4-mini closes what Granite leaves open.
        if source.contains("<|/tool_call|>") {
            return ToolSyntax(
                mark: "<|tool_call|>", prefix: "[" + name, middle: middle, suffix: "}]<|/tool_call|>",
                join: "}, " + name)
        }
        if source.contains("<|tool_call|>") {
            return ToolSyntax(
                mark: "<|tool_call|>", prefix: "[" + name, middle: middle, suffix: "}]", join: "}, " + name)
        }
        // Hermes and Qwen; with functions in tags the arguments are not JSON.
        if source.contains("<tool_call>"), !source.contains("<function=") {
            return ToolSyntax(
                mark: "<tool_call>", prefix: "\n" + name, middle: middle, suffix: "}\n</tool_call>",
                join: "}\n</tool_call>\n<tool_call>\n" + name)
        }
        return nil
    }
}

/// Reads the form of calls off what a template writes for calls that are known.
struct ToolSyntaxReader {
    static let name = "probe_function"
    static let (key, value) = ("probe_argument", "probe_value")
    static let (otherKey, otherValue) = ("other_argument", "other_value")
    static let ids = ["probe0001", "probe0002"]
    /// Marks that end a turn in known templates; what follows them belongs to no call.
    private static let turnEnds = [
        "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|END_OF_TURN_TOKEN|>", "<|end_of_text|>", "</s>", "<|end|>",
        "<end_of_turn>", "<|role_end|>", "<end_of_sentence>", "<sep>", "[e~[", "<|eot|>",
    ]

    /// A written call, cut at its name and its arguments.
    private struct Parts {
        var prefix: String
        var middle: String
        /// Nil where the arguments are a JSON object.
        var arguments: ToolSyntax.Arguments?
        var rest: String
    }

    /// - Parameters:
    ///   - one: what stands where the answer does: one call with one argument.
    ///   - other: the same with two arguments.
    ///   - two: two calls with one argument each; nil where the template refuses them.
    ///   - plain: an answer without calls, and its content.
    static func syntax(
        one: String, other: String?, two: String?, plain: (text: String, content: String)?, eosToken: String
    ) -> ToolSyntax? {
        guard let parts = parts(of: one, with: other) else { return nil }
        var prefix = Substring(parts.prefix)
        while prefix.first?.isWhitespace == true { prefix.removeFirst() }
        guard let (mark, inner) = split(String(prefix)) else { return nil }
        var suffix = parts.rest
        if let plain, let place = plain.text.firstRange(of: plain.content),
            case let end = plain.text[place.upperBound...],
            !end.isEmpty, suffix.hasSuffix(end)
        {
            suffix.removeLast(end.count)
        } else {
            for end in [eosToken] + turnEnds where !end.isEmpty {
                if let place = suffix.firstRange(of: end) { suffix = String(suffix[..<place.lowerBound]) }
            }
        }
        while suffix.last?.isWhitespace == true { suffix.removeLast() }
        var syntax = ToolSyntax(mark: mark, prefix: inner, middle: parts.middle, suffix: suffix)
        syntax.arguments = parts.arguments ?? .json
        if let two { syntax.join = join(two, with: syntax, between: parts) }
        // A count or an identifier is the model's to choose.
        if let join = syntax.join, syntax.prefix.contains(#""0""#), join.contains(#""1""#) {
            syntax.prefix = syntax.prefix.replacing(#""0""#, with: #""\#(ToolSyntax.number)""#)
            syntax.join = join.replacing(#""1""#, with: #""\#(ToolSyntax.number)""#)
        }
        for id in ids {
            let text = String(ToolSyntax.identifier)
            syntax.prefix = syntax.prefix.replacing(id, with: text)
            syntax.middle = syntax.middle.replacing(id, with: text)
            syntax.suffix = syntax.suffix.replacing(id, with: text)
            syntax.join = syntax.join?.replacing(id, with: text)
        }
        return syntax
    }

    /// The mark that opens a call, and what stands between it and the name; nil where nothing tells a call from other text.
    private static func split(_ prefix: String) -> (mark: String, rest: String)? {
        if prefix.hasPrefix("{") || prefix.hasPrefix("[{") { return ("", prefix) }
        let end: Character
        switch prefix.first {
        case "<": end = ">"
        case "[": end = "]"
        default: return nil
        }
        guard let place = prefix.firstIndex(of: end) else {
            // The name itself stands within the mark: `<function=NAME`.
            return prefix.contains(where: \.isWhitespace) && !prefix.contains("=") ? nil : (prefix, "")
        }
        let mark = prefix[...place]
        let rest = String(prefix[prefix.index(after: place)...])
        guard mark.count > 3, !mark.contains(where: \.isWhitespace), !hasWords(rest) else { return nil }
        return (String(mark), rest)
    }

    /// Whether there are letters outside quotes and tags: words of a header, which no mark announces.
    private static func hasWords(_ text: String) -> Bool {
        var (isQuoted, isTag) = (false, false)
        for character in text {
            switch character {
            case "\"" where !isTag: isQuoted.toggle()
            case "<" where !isQuoted: isTag = true
            case ">" where !isQuoted: isTag = false
            default: if !isQuoted, !isTag, character.isLetter { return true }
            }
        }
        return false
    }

    private static func parts(of text: String, with other: String?) -> Parts? {
        guard let nameRange = text.firstRange(of: name), let keyRange = text.firstRange(of: key),
            let valueRange = text.firstRange(of: value), nameRange.upperBound <= keyRange.lowerBound,
            keyRange.upperBound <= valueRange.lowerBound, text[nameRange.upperBound...].firstRange(of: name) == nil
        else { return nil }
        let prefix = String(text[..<nameRange.lowerBound])
        let before = text[nameRange.upperBound..<keyRange.lowerBound]
        let after = text[valueRange.upperBound...]
        let between = text[keyRange.upperBound..<valueRange.lowerBound]
        // As JSON: {"key": "value"}, with any white space.
        if let open = before.lastIndex(of: "{"), before[open...].filter({ !$0.isWhitespace }) == "{\"",
            between.filter({ !$0.isWhitespace }) == "\":\"", let close = after.firstIndex(of: "}"),
            after[...close].filter({ !$0.isWhitespace }) == "\"}"
        {
            return Parts(
                prefix: prefix, middle: String(before[..<open]), arguments: nil,
                rest: String(after[after.index(after: close)...]))
        }
        guard let other, let first = other.firstRange(of: value), let second = other.firstRange(of: otherKey),
            first.upperBound <= second.lowerBound
        else { return nil }
        let joined = other[first.upperBound..<second.lowerBound]
        let shared = zip(joined.reversed(), before.reversed()).prefix { $0 == $1 }.count
        let (end, start) = (String(joined.dropLast(shared)), String(joined.suffix(shared)))
        guard end.contains("</"), !end.contains(key), after.hasPrefix(end), !start.isEmpty,
            !between.contains("string="), !between.isEmpty
        else { return nil }
        return Parts(
            prefix: prefix, middle: String(before.dropLast(shared)),
            arguments: .tagged(before: start, middle: String(between), after: end),
            rest: String(after.dropFirst(end.count)))
    }

    /// What stands between two calls: found where the rest of the first and the beginning of the second meet.
    private static func join(_ two: String, with syntax: ToolSyntax, between parts: Parts) -> String? {
        guard let first = two.firstRange(of: value), let second = two[first.upperBound...].firstRange(of: name),
            two[second.upperBound...].firstRange(of: value) != nil
        else { return nil }
        var text = two[first.upperBound..<second.lowerBound]
        switch syntax.arguments {
        case .json:
            guard let close = text.firstIndex(of: "}") else { return nil }
            text = text[text.index(after: close)...]
        case .tagged(_, _, let after):
            guard text.hasPrefix(after) else { return nil }
            text = text.dropFirst(after.count)
        }
        // Another turn between them: then each call is a message of its own.
        guard !turnEnds.contains(where: { text.contains($0) }) else { return nil }
        return String(text)
    }
}
