"""One process that does the work of many children: Keras is imported once, not for each.

`python one_child.py SOCKET` serves, in order; `python one_child.py SOCKET ARGUMENT...` has it run a command, shows what
it writes, and ends as it does. A client that is killed interrupts its command.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import traceback

END = b"\0"  # before the exit code; output is text
STOP = b"[]\n"  # in place of a command


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
        listener.bind(f"{address}.bound")
        listener.listen()
        os.rename(f"{address}.bound", address)  # who finds it is answered
        while True:
            connection, _ = listener.accept()
            with connection:
                line = connection.makefile("rb").readline()
                if line == STOP:
                    return
                if line.endswith(b"\n"):  # else the client was killed before it asked
                    answer(connection, firekeras.cli.app, json.loads(line))


def answer(connection, app, arguments):
    import threading

    before = [os.dup(stream) for stream in (1, 2)]
    for stream in (1, 2):
        os.dup2(connection.fileno(), stream)
    working = [True]
    watcher = threading.Thread(target=watch, args=(connection, working))
    try:
        code = interruptible(working, watcher.start, run, app, arguments)
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
    with contextlib.suppress(ConnectionResetError):  # it went with output unread
        connection.recv(1)
    if working:
        os.kill(os.getpid(), signal.SIGINT)


def interruptible(working, begin_watch, function, *arguments):
    """The exit code of what may be interrupted while it works, and once: the signal may come when it has just ended.

    Nobody watches before the signal is handled: the first one would end the server.
    """

    def interrupt(*_):
        if working:
            working.clear()
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        try:
            begin_watch()
            return function(*arguments)
        finally:
            working.clear()
    except KeyboardInterrupt:
        return 130


def run(app, arguments):
    """The exit code of a command, whatever becomes of it: the next one must find the server."""
    try:
        if arguments[0] == "checking":
            check(*arguments[1:])
        elif arguments[0] == "reading":
            read(*arguments[1:])
        else:
            app(arguments, prog_name="firekeras")
    except SystemExit as end:
        return exit_code(end.code)
    except Exception:  # among them that of who writes to a client that was killed
        with contextlib.suppress(OSError):
            traceback.print_exc()
        return 1
    return 0


def exit_code(code):
    """As the interpreter has it: a text is shown, and counts as 1."""
    if isinstance(code, str):
        with contextlib.suppress(OSError):
            sys.stderr.write(code + "\n")
        return 1
    return code or 0


def check(*arguments):
    from inspector.children import checking

    checking.main(*arguments)


def read(*arguments):
    from inspector.children import reading

    reading.main(*arguments)


if __name__ == "__main__":
    if sys.argv[2:]:
        raise SystemExit(client(sys.argv[1], sys.argv[2:]))
    serve(sys.argv[1])
    os._exit(0)  # TensorFlow takes its time to leave
