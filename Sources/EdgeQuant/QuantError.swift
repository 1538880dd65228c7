/// Why values cannot be decoded.
package struct QuantError: Error, Sendable, CustomStringConvertible {
    /// What is wrong, with the lengths or types concerned.
    package let message: String

    package init(_ message: String) { self.message = message }

    package var description: String { message }
}
