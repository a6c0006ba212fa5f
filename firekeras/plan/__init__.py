"""From scores to a plan: which filters go, within ratio, caps and target. No data, no model, no Keras."""
