"""What `firekeras.export` offers, and where it lives."""

from .bridge import to_tf_keras as to_tf_keras
from .clustering import cluster as cluster
from .exporting import Export as Export
from .exporting import export_model as export_model
from .quantization_aware import quantize_aware as quantize_aware
from .sparsity import sparsify as sparsify
