internal import EdgeGGUF
internal import EdgeModel
internal import EdgePlatform

extension ModelLoadingError {
    /// Turns what inner rooms throw into this error.
    package static func reporting<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as GGUFError {
            throw ModelLoadingError(error)
        } catch let error as ModelError {
            throw ModelLoadingError(error, path: path)
        } catch let error as PlatformError {
            throw ModelLoadingError(code: .insufficientMemory, message: "\(path): \(error)")
        }
    }
}
