"""Out of Keras and onto the device: exported files, run and compared; int8; TF-MOT for Keras 3 models."""
