/// A call of a tool that a model wrote.
package struct ToolCall: Sendable, Equatable {
    package var name: String
    /// The arguments, an object unless the model wrote something else.
    package var arguments: TemplateValue
    package var id: String?

    package init(name: String, arguments: TemplateValue, id: String? = nil) {
        self.name = name
        self.arguments = arguments
        self.id = id
    }
}

/// What a model wrote, taken apart.
package struct ChatAnswer: Sendable, Equatable {
    package var reasoning: String?
    package var content: String
    package var toolCalls: [ToolCall]

    /// Takes the thought and the calls out of an answer. What is not a whole call stays in the content.
    package init(_ text: String, format: ToolFormat, reasoning marks: ReasoningMarks? = nil) {
        var rest = Array(text.utf8)[...]
        reasoning = nil
        if let marks { reasoning = ChatAnswer.takeReasoning(&rest, marks) }
        var reader = ToolCallReader(rest)
        reader.read(format)
        toolCalls = reader.calls
        content = String(decoding: reader.calls.isEmpty ? Array(rest) : reader.content, as: UTF8.self)
        if !toolCalls.isEmpty {
            while content.last?.isWhitespace == true { content.removeLast() }
        }
    }

    private static func takeReasoning(_ bytes: inout ArraySlice<UInt8>, _ marks: ReasoningMarks) -> String? {
        var start = bytes.startIndex
        while start < bytes.endIndex, ToolCallReader.isSpace(bytes[start]) { start += 1 }
        let begin = Array(marks.begin.utf8)
        let isMarked = bytes[start...].starts(with: begin)
        guard isMarked || marks.promptBegins else { return nil }
        if isMarked { start += begin.count }
        let end = Array(marks.end.utf8)
        let stop = ToolCallReader.find(end, in: bytes, from: start)
        var thought = bytes[start..<(stop ?? bytes.endIndex)]
        bytes = stop.map { bytes[($0 + end.count)...] } ?? bytes[bytes.endIndex...]
        while let last = thought.last, ToolCallReader.isSpace(last) { thought.removeLast() }
        while let first = thought.first, ToolCallReader.isSpace(first) { thought.removeFirst() }
        while let first = bytes.first, ToolCallReader.isSpace(first) { bytes.removeFirst() }
        return String(decoding: thought, as: UTF8.self)
    }
}

/// Reads calls from the bytes of an answer.
struct ToolCallReader {
    private let bytes: ArraySlice<UInt8>
    private var position: Int
    private(set) var calls: [ToolCall] = []
    private(set) var content: [UInt8] = []

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte >= 9 && byte <= 13 }

    static func find(_ word: [UInt8], in bytes: ArraySlice<UInt8>, from start: Int) -> Int? {
        guard let first = word.first else { return nil }
        var index = start
        while index + word.count <= bytes.endIndex {
            if bytes[index] == first, bytes[index...].starts(with: word) { return index }
            index += 1
        }
        return nil
    }

    mutating func read(_ format: ToolFormat) {
        switch format {
        case .hermes: marked("<tool_call>", "</tool_call>") { $0.values() }
        case .functionTags: marked("<tool_call>", "</tool_call>") { $0.functionTag() }
        case .phi4: marked("<|tool_call|>", "<|/tool_call|>") { $0.values() }
        case .granite: marked("<|tool_call|>", "<|/tool_call|>") { $0.values() }
        case .mistral: marked("[TOOL_CALLS]", "") { $0.mistral() }
        case .commandR:
            let action = ToolCallReader.find(Array("<|START_ACTION|>".utf8), in: bytes, from: position)
            if action != nil {
                marked("<|START_ACTION|>", "<|END_ACTION|>") { $0.values() }
            } else {
                marked("Action:", "```") { reader in
                    reader.skipFence()
                    return reader.values()
                }
            }
        case .llama3, .json:
            skipSpace()
            _ = takes("<|python_tag|>")
            skipFence()
            let found = values()
            skipSpace()
            _ = takes("```")
            skipSpace()
            if position == bytes.endIndex, !found.isEmpty { calls = found }
        }
    }

    /// Reads what follows each opening mark; what stands elsewhere, and marks with no call behind them, is content.
    private mutating func marked(_ begin: String, _ end: String, _ read: (inout ToolCallReader) -> [ToolCall]) {
        let opening = Array(begin.utf8)
        while let place = ToolCallReader.find(opening, in: bytes, from: position) {
            content += bytes[position..<place]
            position = place + opening.count
            let found = read(&self)
            if found.isEmpty {
                content += opening
                position = place + opening.count
            } else {
                calls += found
                let after = position
                skipSpace()
                if end.isEmpty || !takes(end) { position = after }
            }
        }
        content += bytes[position...]
    }

    private mutating func skipSpace() {
        while position < bytes.endIndex, ToolCallReader.isSpace(bytes[position]) { position += 1 }
    }

    private mutating func takes(_ word: String) -> Bool {
        guard bytes[position...].starts(with: word.utf8) else { return false }
        position += word.utf8.count
        return true
    }

    private mutating func skipFence() {
        skipSpace()
        guard takes("```") else { return }
        _ = takes("json")
        skipSpace()
    }

    /// Text up to a word, which is passed; nil where it does not come.
    private mutating func text(upTo word: String) -> String? {
        let wanted = Array(word.utf8)
        guard let place = ToolCallReader.find(wanted, in: bytes, from: position) else { return nil }
        defer { position = place + wanted.count }
        return String(decoding: bytes[position..<place], as: UTF8.self)
    }

    /// The calls in the JSON values that follow one another, with semicolons or commas between them.
    private mutating func values() -> [ToolCall] {
        var found: [ToolCall] = []
        while true {
            let start = position
            skipSpace()
            if !found.isEmpty, takes(";") || takes(",") { skipSpace() }
            guard position < bytes.endIndex, let (value, end) = TemplateValue.prefix(of: bytes[position...]) else {
                position = start
                return found
            }
            let calls = ToolCallReader.calls(in: value)
            guard !calls.isEmpty else {
                position = start
                return found
            }
            found += calls
            position = end
        }
    }

    private static func calls(in value: TemplateValue) -> [ToolCall] {
        if case .list(let elements) = value {
            let calls = elements.compactMap { call($0) }
            return calls.count == elements.count ? calls : []
        }
        return call(value).map { [$0] } ?? []
    }

    private static func call(_ value: TemplateValue) -> ToolCall? {
        if let function = value["function"], case .dict = function { return call(function) }
        guard let name = (value["name"] ?? value["tool_name"] ?? value["function"])?.text, !name.isEmpty else {
            return nil
        }
        guard var arguments = value["arguments"] ?? value["parameters"] else { return nil }
        // Some write the arguments as a text that holds JSON.
        if let text = arguments.text, let inner = try? TemplateValue(json: text) { arguments = inner }
        return ToolCall(name: name, arguments: arguments, id: (value["id"] ?? value["tool_call_id"])?.text)
    }

    private mutating func mistral() -> [ToolCall] {
        skipSpace()
        guard position < bytes.endIndex, bytes[position] != UInt8(ascii: "["), bytes[position] != UInt8(ascii: "{")
        else {
            return values()
        }
        let brace = ToolCallReader.find([UInt8(ascii: "{")], in: bytes, from: position)
        guard let brace, let (arguments, end) = TemplateValue.prefix(of: bytes[brace...]) else { return [] }
        var name = String(decoding: bytes[position..<brace], as: UTF8.self)
        var id: String?
        for mark in ["[ARGS]", "[CALL_ID]"] {
            let parts = ToolCallReader.split(name, at: mark)
            name = parts.before
            if mark == "[CALL_ID]" { id = parts.after }
        }
        while name.last?.isWhitespace == true { name.removeLast() }
        guard !name.isEmpty, !name.contains("[") else { return [] }
        position = end
        return [ToolCall(name: name, arguments: arguments, id: id)]
    }

    private static func split(_ text: String, at mark: String) -> (before: String, after: String?) {
        let bytes = Array(text.utf8)
        guard let place = find(Array(mark.utf8), in: bytes[...], from: 0) else { return (text, nil) }
        return (
            String(decoding: bytes[..<place], as: UTF8.self),
            String(decoding: bytes[(place + mark.utf8.count)...], as: UTF8.self)
        )
    }

    private mutating func functionTag() -> [ToolCall] {
        skipSpace()
        guard takes("<function="), let name = text(upTo: ">"), !name.isEmpty else { return [] }
        var arguments = TemplateValue.Members()
        while true {
            skipSpace()
            if takes("</function>") { return [ToolCall(name: name, arguments: .dict(arguments))] }
            guard takes("<parameter="), let key = text(upTo: ">"), var value = text(upTo: "</parameter>") else {
                return []
            }
            if value.first == "\n" { value.removeFirst() }
            if value.last == "\n" { value.removeLast() }
            // A value that reads as JSON other than a text is meant as such.
            if let json = try? TemplateValue(json: value), json.text == nil {
                arguments[key] = json
            } else {
                arguments[key] = .string(value)
            }
        }
    }
}
