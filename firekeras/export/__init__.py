"""Out of Keras and onto the device: exported files, run and compared; int8; TF-MOT for Keras 3 models.

Names are imported when first used, so that nothing loads TensorFlow before an export needs it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
