/// Why a template could not be read or rendered.
package struct TemplateError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// The template is not well formed.
        case syntax
        /// A statement, filter, test or method that this room does not have.
        case unsupported
        /// Something undefined was used where a value is needed.
        case undefined
        /// An operation on a value of the wrong type.
        case type
        /// An argument of the right type and an impossible value.
        case value
        /// A number that does not fit.
        case overflow
        /// The template itself refused its input with `raise_exception`.
        case raised
        /// More work than the limits allow.
        case tooManySteps
        /// Deeper nesting than the limits allow.
        case tooDeep
        /// A text or an output longer than the limits allow.
        case tooLong
    }

    package let code: Code
    package let message: String
    /// The place in the template, both counted from 1; 0 where the input is at fault and no place in the template.
    package let line: Int
    package let column: Int

    package init(_ code: Code, _ message: String, line: Int = 0, column: Int = 0) {
        self.code = code
        self.message = message
        self.line = line
        self.column = column
    }

    package var description: String {
        line > 0 ? "\(line):\(column): \(message)" : message
    }
}
