"""Calls of Debian's python3-etcd3gw, which speaks to the JSON gateway; it has no login of its own, so each
session carries a token that was fetched with the same client."""
import json
import threading

from answers import Answers, read_settings
from etcd3gw.client import Etcd3Client
from etcd3gw.exceptions import Etcd3Exception

given = read_settings()
answers = Answers()
note = answers.call


def note_code(name, function, *args, **kwargs):
    """For a refusal whose words are those of Go's JSON reader."""

    def code():
        try:
            return function(*args, **kwargs)
        except Etcd3Exception as cause:
            return json.loads(cause.detail_text)["code"]

    note(name, code)


def client(user=None, password=None, at=0, certificate=given["nameless"]):
    host, port = given["endpoints"][at].split(":")
    api = Etcd3Client(
        host=host, port=int(port), protocol="https", ca_cert=given["ca"], cert_key=certificate["key"],
        cert_cert=certificate["cert"], timeout=10, api_path="/v3/",
    )
    if user is not None:
        asked = {"name": user, "password": password}
        api.session.headers["Authorization"] = api.post(api.get_url("/auth/authenticate"), json=asked)["token"]
    return api


def keys(api):
    note("put", api.put, "a/1", "one")
    note("get", api.get, "a/1", metadata=True)
    note("get nothing", api.get, "a/none")
    note("create", api.create, "a/1", "no")
    note("create, is", api.create, "a/2", "two")
    note("replace", api.replace, "a/2", "two", "zwei")
    note("replace, other", api.replace, "a/2", "two", "no")
    note("prefix", api.get_prefix, "a/", sort_order="descend", sort_target="mod")
    note("all", api.get_all, sort_order="ascend", sort_target="key")
    note("delete", api.delete, "a/2")
    note("delete nothing", api.delete, "a/2")
    note("bytes", api.put, b"a/\x00\xff", b"\x00\x01")
    note("delete prefix", api.delete_prefix, "a/\x00")
    txn = {
        "compare": [{"key": "YS8x", "result": "GREATER", "target": "VERSION", "version": 0}],
        "success": [{"request_put": {"key": "YS8z", "value": "Mw=="}}, {"request_range": {"key": "YS8x"}}],
        "failure": [],
    }
    note("transaction", api.transaction, txn)
    note("malformed", api.transaction, {"compare": [{"target": "NONSENSE"}]})


def leases(api):
    lease = note("lease", api.lease, 600)
    if lease is None:
        return
    note("leased", api.put, "a/leased", "x", lease=lease)
    note("ttl", lambda: lease.ttl() > 500)
    note("refresh", lease.refresh)
    note("keys", lease.keys)
    note("revoke", lease.revoke)
    note("revoked key", api.get, "a/leased")
    note("revoke again", lease.revoke)
    lock, other = api.lock("door", ttl=60), api.lock("door", ttl=60)
    note("lock", lock.acquire)
    note("held", lock.is_acquired)
    note("locked out", other.acquire)
    note("unlock", lock.release)


def watches(api):
    events, cancel = api.watch_prefix("a/", prev_kv=True, start_revision=2)
    note("watch", lambda: [next(events) for _ in range(3)])
    cancel()
    note("nothing comes", api.watch_once, "a/silent", timeout=1)
    threading.Timer(0.5, lambda: api.put("a/w", "soon")).start()
    note("soon", api.watch_once, "a/w", timeout=10)


def others(api):
    note("status", lambda: api.status()["version"] != "")
    note("members", lambda: sorted(member["name"] for member in api.members()))
    note("foreign put", api.put, "z", "1")
    note("foreign get", api.get, "z")
    note("beyond", api.get_all)
    note("foreign delete", api.delete, "z")
    for path in ("/auth/user/list", "/auth/role/list", "/maintenance/alarm", "/kv/nothing"):
        note(path, api.post, api.get_url(path), json={})
    note("role", api.post, api.get_url("/auth/role/get"), json={"role": "r"})
    note_code("no JSON", api.post, api.get_url("/kv/put"), data="nonsense")


for part in (keys, leases, watches, others):
    part(client("root", "pw"))
for part in (keys, leases, watches, others):
    part(client("u", "upw", at=2))
note("wrong password", client, "u", "wrong")
nameless = client()
note("without login", nameless.get, "a/1")
note("without login", nameless.put, "a/1", "x")
named = client(certificate=given)
note("named certificate", named.get, "a/1")
note("named certificate", named.post, named.get_url("/nowhere"), json={})
forged = client()
forged.session.headers["Authorization"] = "nonsense.1"
note("forged token", forged.get, "a/1")
answers.print()
