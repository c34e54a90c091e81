"""`embedbridge export`: a model of sentence-transformers as an ONNX file, and the proof that it is the same."""
