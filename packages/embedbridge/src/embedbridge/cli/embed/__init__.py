"""`embedbridge embed`: texts, lines or images in; JSON lines, a NumPy file or safetensors out."""
