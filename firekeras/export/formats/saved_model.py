"""SavedModel: folders, run by TensorFlow."""

from __future__ import annotations

from firekeras.export.formats.format import ON_TENSORFLOW, Format, Input, export_format, in_one_sentence, in_order


@export_format("saved-model")
class SavedModel(Format):
    """The folder of a SavedModel, called by its signature `serving_default`; its costs cannot be counted."""

    title, ending, runtime, keras_name = "the folder of a SavedModel", "", "TensorFlow", "tf_saved_model"
    refused_on = {  # noqa: RUF012 (never changed)
        "torch": f"Keras writes no SavedModel of a functional model from torch. {ON_TENSORFLOW}."
    }
    sets_threads = False

    def why_untrusted(self, path):
        from firekeras.export.saved_model_check import why_untrusted

        return why_untrusted(path)

    def open(self, path, threads=None) -> SavedModelRuntime:
        return SavedModelRuntime(path)


class SavedModelRuntime:
    """An open SavedModel."""

    name = "TensorFlow"
    threads: int | None = None

    def __init__(self, path):
        import tensorflow as tf

        with in_one_sentence(f"{path} is not a SavedModel with a signature 'serving_default'"):
            self._loaded = tf.saved_model.load(str(path))
            self._function, self._path = self._loaded.signatures["serving_default"], path
        specs = self._function.structured_input_signature[1]
        self.inputs = [Input(name, tuple(s.shape), s.dtype.as_numpy_dtype) for name, s in sorted(specs.items())]

    def prepare(self, arrays):
        import tensorflow as tf

        self._feed = {input.name: tf.constant(x, input.dtype) for input, x in zip(self.inputs, arrays, strict=True)}

    def invoke(self):
        with in_one_sentence(f"TensorFlow cannot run {self._path}"):
            self._outputs = {name: value.numpy() for name, value in self._function(**self._feed).items()}

    def outputs(self):
        return [self._outputs[name] for name in in_order(self._outputs)]
