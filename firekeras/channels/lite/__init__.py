"""What a network becomes as a LiteRT file: its steps, the order in which they run, their RAM and the file's size.

`lowering` makes a `Program` of the calls that a trace saw, by the `steps/` that kinds of layers register; `folding`
joins what the converter joins, `running_order` puts it in order, and `arena` and `file_size` count it.
"""
