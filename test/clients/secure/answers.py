"""What a client of Debian's answers to calls, in a form that can be compared: a JSON line of pairs [call, answer].

How to reach the cluster comes as a JSON line on standard input; python.test.ts knows its fields."""
import json
import os
import sys
import types


def read_settings():
    return json.loads(sys.stdin.readline())


def plain(value):
    """Bytes as text, iterators as lists, objects as their public fields."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if hasattr(value, "DESCRIPTOR"):
        return str(value)
    if isinstance(value, (list, tuple, set, types.GeneratorType)) or hasattr(value, "__next__"):
        return [plain(each) for each in value]
    fields = {key: each for key, each in vars(value).items() if not key.startswith("_") and key != "etcd_client"}
    return {type(value).__name__: plain(fields)}


def error(cause):
    """The error's class and what the server said, from the cause if the client hides it."""
    told = cause if hasattr(cause, "details") and callable(cause.details) else cause.__context__
    if hasattr(told, "details") and callable(told.details):
        return [type(cause).__name__ if told is not cause else "RpcError", told.code().name, told.details()]
    return [type(cause).__name__, str(cause), refusal(getattr(cause, "detail_text", ""))]


def refusal(body):
    """Of the gateway. One of etcd 3.5 has code and message, one of earlier etcd `error`, too."""
    try:
        fields = json.loads(body)
        return [fields["code"], fields["message"]]
    except (ValueError, KeyError, TypeError):
        return plain(body)


class Answers:
    def __init__(self):
        self.pairs = []

    def call(self, name, function, *args, **kwargs):
        """Notes what the call gives or raises, and gives it back (None after an error)."""
        try:
            value = function(*args, **kwargs)
            if hasattr(value, "__next__"):
                value = list(value)
            self.pairs.append([name, plain(value)])
            return value
        except Exception as cause:  # pylint: disable=broad-except
            self.pairs.append([name, {"error": error(cause)}])
            return None

    def print(self):
        print(json.dumps(self.pairs), flush=True)
        # Threads of streams would wait on.
        os._exit(0)
