"""Data as `fit` takes them: `checks` refuses what does not fit a model, `labels` and `samples` read from them."""
