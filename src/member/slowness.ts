/** What a member measures of its own speed. The log and the metrics say what is too slow. */
import { Durations, type DurationsParts } from "../metrics/durations.js";
import type { HistogramSample, MetricSample } from "../metrics/sample.js";
import type { Platform } from "../platform/platform.js";

export class Slowness {
  /** How long syncs of the write-ahead log took. */
  readonly fsync: Durations;
  /** How long commits of the backend took. */
  readonly commit: Durations;
  /**
   * How long entries took: from the begin of their application to its end, other turns in between
   * included.
   */
  readonly apply: Durations;
  /** How long linearizable reads waited until the state could be read. */
  readonly read: Durations;

  constructor({ clock, log }: Pick<Platform, "clock" | "log">) {
    const durations = (parts: Omit<DurationsParts, "now" | "log">): Durations =>
      new Durations({ ...parts, now: () => clock.now(), log });
    this.fsync = durations({
      name: "etcd_disk_wal_fsync_duration_seconds",
      help: "Syncs of the write-ahead log.",
      slowName: "lockstep_slow_fsync_total",
      slowHelp: "Syncs of the write-ahead log that took more than 1 s.",
      slowMs: 1_000,
      message: "slow fdatasync",
    });
    this.commit = durations({
      name: "etcd_disk_backend_commit_duration_seconds",
      help: "Commits of the backend.",
      slowName: "lockstep_slow_commit_total",
      slowHelp: "Commits of the backend that took more than 5 s.",
      slowMs: 5_000,
      message: "slow commit of the backend",
    });
    this.apply = durations({
      name: "lockstep_apply_duration_seconds",
      help: "Application of an entry, turns of other work in between included.",
      slowName: "etcd_server_slow_apply_total",
      slowHelp: "Entries whose application took more than 100 ms.",
      slowMs: 100,
      message: "apply request took too long",
    });
    this.read = durations({
      name: "lockstep_read_wait_duration_seconds",
      help: "Wait of a linearizable read until the state could be read.",
      slowName: "lockstep_slow_reads_total",
      slowHelp: "Linearizable reads that waited more than 500 ms.",
      slowMs: 500,
      message: "a linearizable read waited too long for the leader or for the apply",
    });
  }

  samples(): readonly (MetricSample | HistogramSample)[] {
    return [this.fsync, this.commit, this.apply, this.read].flatMap((of) => of.samples());
  }
}
