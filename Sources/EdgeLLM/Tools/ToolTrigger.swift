internal import EdgeEngine
internal import EdgeTemplate

/// Watches an answer for the opening of a call, after which its grammar binds.
struct ToolTrigger: ConstraintTrigger {
    private let form: AnswerForm
    private var splitter: AnswerSplitter

    init(_ form: AnswerForm) {
        self.form = form
        splitter = AnswerSplitter(form)
    }

    mutating func append(_ token: Int32, _ text: String) -> [UInt8]? {
        _ = form.marks[token] == nil ? splitter.append(text) : splitter.append(mark: token)
        guard let calls = form.calls, let opened = splitter.openedText else { return nil }
        let bytes = Array(opened.utf8)
        // Where the text before the name is the opening, it counts as written the family's way.
        return splitter.isPrefixRead ? Array(calls.prefix.utf8) + bytes : bytes
    }
}
