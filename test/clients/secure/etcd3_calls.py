"""Calls of Debian's python3-etcd3, as root and as a user with few rights."""
import io
import queue
import threading

import etcd3
from answers import Answers, read_settings

given = read_settings()
answers = Answers()
note = answers.call


def client(user, password, at=0):
    host, port = given["endpoints"][at].split(":")
    return etcd3.client(
        host=host, port=int(port), ca_cert=given["ca"], cert_key=given["key"], cert_cert=given["cert"],
        user=user, password=password, timeout=10,
    )


def keys(api):
    note("put", api.put, "a/1", "one")
    note("put with former", api.put, "a/1", "uno", prev_kv=True)
    note("get", api.get, "a/1")
    note("get serializable", api.get, "a/1", serializable=True)
    note("get nothing", api.get, "a/none")
    for name in ("a/2", "a/3"):
        note("put " + name, api.put, name, name)
    note("prefix", api.get_prefix, "a/")
    note("prefix sorted", api.get_prefix, "a/", sort_order="descend", sort_target="version")
    note("prefix, keys only", api.get_prefix, "a/", keys_only=True)
    note("range", api.get_range, "a/1", "a/3", sort_order="descend", sort_target="mod")
    note("all", api.get_all, sort_order="ascend", sort_target="value")
    note("put if absent", api.put_if_not_exists, "a/1", "no")
    note("put if absent, is", api.put_if_not_exists, "a/4", "yes")
    note("replace", api.replace, "a/4", "yes", "da")
    note("replace, other", api.replace, "a/4", "yes", "no")
    note("delete", api.delete, "a/4", prev_kv=True, return_response=True)
    note("delete nothing", api.delete, "a/4")
    made = api.transactions
    note(
        "transaction", api.transaction,
        compare=[made.value("a/1") == "uno", made.version("a/1") > 1],
        success=[made.put("a/5", "five"), made.get("a/1"), made.delete("a/2")],
        failure=[made.put("a/5", "no")],
    )
    note(
        "nested", api.transaction,
        compare=[made.create("a/6") == 0],
        success=[made.txn(compare=[made.mod("a/1") > 0], success=[made.put("a/6", "six")], failure=[])],
        failure=[made.get("a/6")],
    )
    note("twice", api.transaction, compare=[], success=[made.put("a/7", "1"), made.put("a/7", "2")], failure=[])
    note("delete prefix", api.delete_prefix, "a/6")


def leases(api):
    lease = note("lease", api.lease, 600, 7001)
    note("lease again", api.lease, 600, 7001)
    note("leased", api.put, "a/leased", "x", lease=7001)
    note("refresh", api.refresh_lease, 7001)
    if lease is not None:
        note("granted", lambda: lease.granted_ttl)
        note("keys", lambda: lease.keys)
    note("revoke", api.revoke_lease, 7001)
    note("revoked key", api.get, "a/leased")
    note("revoke again", api.revoke_lease, 7001)
    note("no lease", api.put, "a/leased", "x", lease=7001)


def watches(api):
    seen = queue.Queue()
    watch_id = note("watch", api.add_watch_callback, "a/", seen.put, range_end="a0", prev_kv=True)

    def events():
        answer = seen.get(timeout=10)
        if isinstance(answer, Exception):
            raise answer
        return [[type(each).__name__, each.key, each.value, each.prev_value] for each in answer.events]

    if watch_id is not None:
        note("put watched", api.put, "a/w", "1")
        note("event", events)
        note("delete watched", api.delete, "a/w")
        note("event", events)
        api.cancel_watch(watch_id)
    since, cancel = api.watch_prefix("a/1", start_revision=1)
    note("history", lambda: [[type(each).__name__, each.value] for each in (next(since), next(since))])
    cancel()
    note("nothing comes", api.watch_once, "a/silent", timeout=1)


def maintenance(api, new_peer):
    note("status", lambda: api.status().version != "")
    note("members", lambda: sorted(member.name for member in api.members))
    note("add", api.add_member, [new_peer])
    note("update", api.update_member, 1234, ["http://127.0.0.1:1"])
    note("remove", api.remove_member, 1234)
    note("hash", lambda: api.hash() != 0)
    note("defragment", api.defragment)
    note("snapshot", lambda: (lambda file: (api.snapshot(file), file.tell() > 8192))(io.BytesIO()))


def alarms(api):
    """Root's alone: any user may raise an alarm in etcd 3.5, none since 3.6.9."""
    note("alarms", api.list_alarms)
    note("create alarm", lambda: [each.alarm_type for each in api.create_alarm()])
    note("refused", api.put, "a/full", "x")
    note("disarm", lambda: [each.alarm_type for each in api.disarm_alarm()])
    note("accepted", api.put, "a/full", "x")


def locks(api):
    lock, other = api.lock("door", ttl=60), api.lock("door", ttl=60)
    note("lock", lock.acquire)
    note("held", lock.is_acquired)
    note("locked out", other.acquire, timeout=1)
    note("unlock", lock.release)
    note("next", other.acquire)
    note("unlock next", other.release)


def without_rights(api):
    made = api.transactions
    note("foreign put", api.put, "z", "1")
    note("foreign get", api.get, "z")
    note("beyond", api.get_prefix, "")
    note("foreign delete", api.delete, "z")
    note("foreign compare", api.transaction, compare=[made.value("z") == ""], success=[], failure=[])
    note("foreign watch", api.watch_once, "z", timeout=2)


root = note("log in", lambda: type(client("root", "pw")).__name__) and client("root", "pw")
user = client("u", "upw", at=1)
for part in (keys, leases, watches, lambda api: maintenance(api, "nonsense"), alarms, locks):
    part(root)
for part in (keys, leases, watches, lambda api: maintenance(api, "http://127.0.0.1:1"), without_rights):
    part(user)
note("wrong password", client, "u", "wrong")
note("nobody", client, "nobody", "x")
nameless = client(None, None)
note("without login", nameless.get, "a/1")
note("without login", nameless.put, "a/1", "x")
note("compact", root.compact, 5)
note("compact again", root.compact, 5)
note("compact ahead", root.compact, 100000)
note("of the past", lambda: next(root.watch("a/1", start_revision=2)[0]))


def at_once(number):
    for _ in range(20):
        done = False
        while not done:
            before, _ = user.get("a/sum")
            done = user.replace("a/sum", before, str(int(before) + number))


user.put("a/sum", "0")
threads = [threading.Thread(target=at_once, args=(number,)) for number in (1, 10)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
note("sum", user.get, "a/sum")
answers.print()
