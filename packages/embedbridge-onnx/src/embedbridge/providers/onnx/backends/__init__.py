"""The inference engines that compute an ONNX file, and how each is set up and fed."""
