print("edge-llm")
