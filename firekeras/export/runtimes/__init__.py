"""Runtimes with one interface: Keras, LiteRT, ONNX Runtime and SavedModel, one file each."""
