"""Calls a server with Debian's python3-grpcio. A JSON line with hexadecimal messages comes on standard
input, a JSON line with what happened goes to standard output; interop.test.ts knows both."""
import json
import os
import sys
import threading

import grpc

given = json.load(sys.stdin)
unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
channel = grpc.insecure_channel(given["endpoint"], options=unlimited)
seen = {}


def unary(path, message, **more):
    return channel.unary_unary(path)(bytes.fromhex(message), **more)


seen["put"] = len(unary("/etcdserverpb.KV/Put", given["put"], timeout=30)) > 0
seen["range"] = unary("/etcdserverpb.KV/Range", given["range"], timeout=30).hex()
seen["large"] = len(unary("/etcdserverpb.KV/Range", given["large"], timeout=120))

watching = channel.stream_stream("/etcdserverpb.Watch/Watch")(iter([bytes.fromhex(given["watch"])]))
seen["created"] = next(watching).hex()
unary("/etcdserverpb.KV/Put", given["put"], timeout=30)
seen["event"] = len(next(watching)) > 0
watching.cancel()
try:
    next(watching)
except grpc.RpcError as error:
    seen["cancel"] = error.code().name


def forever():
    yield bytes.fromhex(given["watch"])
    threading.Event().wait(30)


try:
    for _ in channel.stream_stream("/etcdserverpb.Watch/Watch")(forever(), timeout=0.5):
        pass
except grpc.RpcError as error:
    seen["deadline"] = error.code().name
try:
    unary("/etcdserverpb.KV/Nothing", given["range"], timeout=30)
except grpc.RpcError as error:
    seen["unknown"] = [error.code().name, error.details()]
print(json.dumps(seen), flush=True)
# The thread of the last stream would wait on.
os._exit(0)
