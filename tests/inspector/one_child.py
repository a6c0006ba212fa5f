"""One process that does the work of many children: Keras is imported once, not for each.

`python one_child.py SOCKET` serves, in order; `python one_child.py SOCKET ARGUMENT...` has it run a command, shows what
it writes, and ends as it does. A client that is killed interrupts its command.
"""

import json
import os
import signal
import socket
import sys

END = b"\0"  # before the exit code; output is text


def client(address, arguments):
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        server.sendall(json.dumps(arguments).encode() + b"\n")
        heard = b""
        while END not in heard:
            heard = server.recv(1 << 16)
            if not heard:
                return 1
            text, _, code = heard.partition(END)
            sys.stdout.buffer.write(text)
            sys.stdout.buffer.flush()
        return (code or server.recv(1))[0]


def serve(address):
    import tensorflow as tf

    import firekeras.cli

    tf.config.run_functions_eagerly(True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        while True:
            connection, _ = listener.accept()
            with connection:
                arguments = json.loads(connection.makefile("rb").readline())
                if not arguments:
                    return
                answer(connection, firekeras.cli.app, arguments)


def answer(connection, app, arguments):
    import threading

    before = [os.dup(stream) for stream in (1, 2)]
    for stream in (1, 2):
        os.dup2(connection.fileno(), stream)
    working = [True]
    watcher = threading.Thread(target=watch, args=(connection, working))
    watcher.start()
    try:
        code = interruptible(working, run, app, arguments)
    finally:
        for stream, kept in zip((1, 2), before, strict=True):
            os.dup2(kept, stream)
            os.close(kept)
    try:
        connection.sendall(END + bytes([code % 256]))
        connection.shutdown(socket.SHUT_RD)
    except OSError:  # the client was killed
        pass
    watcher.join()


def watch(connection, working):
    """Interrupts the command if its client goes away."""
    if not connection.recv(1) and working:
        os.kill(os.getpid(), signal.SIGINT)


def interruptible(working, function, *arguments):
    """The exit code of what may be interrupted while it works, and once: the signal may come when it has just ended."""

    def interrupt(*_):
        if working:
            working.clear()
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        try:
            return function(*arguments)
        finally:
            working.clear()
    except KeyboardInterrupt:
        return 130


def run(app, arguments):
    try:
        if arguments[0] == "checking":
            check(*arguments[1:])
        elif arguments[0] == "reading":
            read(*arguments[1:])
        else:
            app(arguments, prog_name="firekeras")
    except SystemExit as end:
        return end.code or 0
    return 0


def check(model, plan, data, images):
    from inspector.children import checking

    checking.measure(model, plan, data, int(images))


def read(model, target):
    from inspector.children import reading

    reading.main(model, target)


if __name__ == "__main__":
    if sys.argv[2:]:
        raise SystemExit(client(sys.argv[1], sys.argv[2:]))
    serve(sys.argv[1])
    os._exit(0)  # TensorFlow takes its time to leave
