"""The border to Keras: what its models are made of, how they are copied, compiled and loaded.

Nothing outside this room names Keras's private parts; `internals` lists those that others ask for.
"""
