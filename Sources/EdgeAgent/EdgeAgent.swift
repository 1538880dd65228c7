@_exported public import EdgeRAG
