"""Files of Keras 2, `.h5` and SavedModel, as `.keras` files: read without running any of their code."""
