"""What runs a network: Keras, LiteRT, ONNX Runtime or a SavedModel, one file each, all called alike."""
