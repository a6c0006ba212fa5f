"""Studies of many networks: how sensitive each layer is, and which method does best."""
