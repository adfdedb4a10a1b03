"""The life of a cluster of PostgreSQL servers as Debian's Patroni keeps it in etcd: its module etcd3, with the
watch that feeds its cache, a leader, its failover and two members that race."""
import time

from answers import Answers, read_settings
from patroni.dcs.etcd3 import Etcd3

given = read_settings()
answers = Answers()
note = answers.call


def member(name, **more):
    config = {
        "hosts": given["endpoints"], "protocol": "https", "cacert": given["ca"], "cert": given["nameless"]["cert"],
        "key": given["nameless"]["key"], "username": "u", "password": "upw", "scope": "pg", "namespace": "/service",
        "ttl": 30, "loop_wait": 10, "retry_timeout": 10, "name": name,
    }
    return Etcd3({**config, **more})


def seen(dcs):
    """The cluster without what a run generates."""
    cluster = dcs.get_cluster()
    return {
        "initialize": cluster.initialize,
        "config": cluster.config and cluster.config.data,
        "leader": cluster.leader and cluster.leader.name,
        "is owner": bool(cluster.leader) and cluster.leader.session == dcs._lease,
        "optime": cluster.last_lsn,
        "members": sorted((each.name, each.data.get("state")) for each in cluster.members),
        "failover": cluster.failover and cluster.failover.candidate,
        "sync": cluster.sync.leader,
        "history": cluster.history and cluster.history.lines,
        "slots": cluster.slots,
        "failsafe": cluster.failsafe,
    }


def comes(dcs, is_there):
    """The cache is fed by a watch: asks until what is waited for has come."""
    deadline = time.time() + 15
    while not is_there(dcs.get_cluster()) and time.time() < deadline:
        dcs.event.wait(0.05)
    return seen(dcs)


one, two = member("one"), member("two")
note("empty", lambda: seen(one))
note("initialize", one.initialize, True, "1234")
note("initialize, too late", two.initialize, True, "5678")
note("initialize again", one.initialize, False, "1234")
note("touch", one.touch_member, {"state": "running", "role": "master"})
note("touch", two.touch_member, {"state": "starting"})
note("lead", one.attempt_to_acquire_leader)
note("lead, too late", two.attempt_to_acquire_leader)
note("config", one.set_config_value, '{"ttl":30}')
note("history", one.set_history_value, '[[1,2,"x"]]')
note("status", one.write_status, {"optime": 42, "slots": {"s": 7}})
note("failsafe", one.write_failsafe, {"one": "url"})
note("update", one.update_leader, 43, {"s": 8})
note("sync", one.write_sync_state, "one", "two")
note("failover", two.manual_failover, "one", "two")
note("as two", comes, two, lambda cluster: cluster.failover and cluster.leader and cluster.sync.leader == "one")
note("as one", comes, one, lambda cluster: cluster.failover and len(cluster.members) == 2)
note("failover with a wrong index", two.set_failover_value, "{}", 1)
note("config with a wrong index", one.set_config_value, "{}", 1)
note("give up", one.delete_leader)
note("lead now", lambda: bool(comes(two, lambda cluster: not cluster.leader)) and two.attempt_to_acquire_leader())
note("one sees it", comes, one, lambda cluster: cluster.leader and cluster.leader.name == "two")
note("not owner", one.update_leader, 44)
two._lease = "1234"
note("lost lease", two.touch_member, {"state": "running"})
two._lease = None
note("new lease", two.touch_member, {"state": "running"})
note("put of a foreign key", two._client.put, "/elsewhere", "x")
note("wrong token", lambda: (setattr(two._client, "_token", "nonsense.1"), two._client.put("/service/pg/x", "1"))[1] is not None)
note("without password", lambda: member("three", username=None, password=None, patronictl=True).get_cluster())
note("no sync", one.delete_sync_state)
note("cancel", one.cancel_initialization)
note("delete", one.delete_cluster)
note("end", comes, two, lambda cluster: not cluster.members)
answers.print()
