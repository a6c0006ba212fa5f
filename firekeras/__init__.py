"""firekeras: structured filter pruning for Keras 3.

Names are imported when first used, so that planning works where Keras is not installed or not wanted. They are
listed in `__init__.pyi`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
