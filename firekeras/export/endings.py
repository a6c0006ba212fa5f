"""What files of each format end in; without imports, since the command line asks before it loads anything."""

ENDINGS = {"litert": ".tflite", "onnx": ".onnx", "saved-model": ""}
