import ArgumentParser
import EdgeLLM

/// The command `edge-llm`.
@main
struct EdgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edge-llm",
        abstract: "Run language models from GGUF files, on the CPU.",
        discussion:
            "Exit codes: 0 done, 64 wrong usage, 65 a file that cannot be used, 74 output that cannot be written, "
            + "130 interrupted.",
        version: "0.1.0",
        subcommands: [
            RunCommand.self, ChatCommand.self, EmbedCommand.self, TokenizeCommand.self, PerplexityCommand.self,
            InspectCommand.self, PlanCommand.self, BenchCommand.self, SynthCommand.self, ConvertCommand.self,
            QuantizeCommand.self, ImatrixCommand.self, CompareCommand.self, CertifyCommand.self, VerifyCommand.self,
            IndexCommand.self, AskCommand.self, WarmDocsCommand.self, EvalRetrievalCommand.self, EvalTasksCommand.self,
            PackDocsCommand.self, FetchEmbedderCommand.self, AssistCommand.self, ReplayCommand.self,
        ])

    static func main() async {
        do {
            var command = try parseAsRoot()
            // Who forces an instruction set wants that one measured or compared, not the one that would stand in for it.
            if let warning = InstructionSet.warning { throw Failure.Message(warning) }
            if var asyncCommand = command as? any AsyncParsableCommand {
                try await asyncCommand.run()
            } else {
                try command.run()
            }
        } catch {
            Failure.exit(with: error, command: Self.self)
        }
    }
}
