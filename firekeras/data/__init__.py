"""Data as `fit` takes them: `checks` refuses data that do not fit a model; `labels` and `samples` read them."""
