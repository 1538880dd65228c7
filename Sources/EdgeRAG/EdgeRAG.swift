@_exported public import EdgeLLM
