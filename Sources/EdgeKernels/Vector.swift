package import EdgePlatform

/// A vector of f32 parameters of a model: a norm's weight, a bias, RoPE's frequency factors. Decoded once at load.
package final class Vector: Sendable {
    private let buffer: AlignedBuffer<Float>
    package let count: Int
    var base: UnsafePointer<Float> { UnsafePointer(buffer.base) }

    /// Copies the values.
    ///
    /// - Throws: `PlatformError` when there is no memory.
    package init(_ values: [Float]) throws(PlatformError) {
        count = values.count
        buffer = try AlignedBuffer(count: values.count)
        for (i, value) in values.enumerated() { buffer.elements[i] = value }
    }

    /// The value at an index that must be in bounds.
    package subscript(index: Int) -> Float { buffer[index] }

    /// A copy of the values.
    package var values: [Float] { Array(buffer.elements) }
}
