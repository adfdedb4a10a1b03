/** Builds the scrubber of a running member from its parts. */

import type { Platform } from "../../platform/platform.js";
import type { Committer } from "../../storage/committer.js";
import type { StateStore } from "../../storage/state-store.js";
import type { Wal } from "../../wal/wal.js";
import type { ScrubFinding } from "./finding.js";
import type { Frozen } from "./row-scrub.js";
import { Scrubber } from "./scrubber.js";

/**
 * What the scrubber uses of the member. Bytes per second bound its reading; an interval of 0 turns
 * it off.
 */
export interface ScrubbedMember {
  readonly platform: Pick<Platform, "clock" | "disk" | "hash" | "log">;
  readonly config: {
    readonly scrubIntervalMs: number;
    readonly scrubBytesPerSecond: number;
    readonly walSegmentBytes: number;
  };
  readonly wal: Wal;
  readonly state: Pick<StateStore, "backend" | "machine" | "view">;
  readonly committer: Pick<Committer, "flush">;
  onFinding(finding: ScrubFinding): void;
  failed(error: Error): void;
}

export function createMemberScrubber(member: ScrubbedMember): Scrubber {
  const { platform, config, wal, state, committer } = member;
  const scrubber = new Scrubber({
    clock: platform.clock,
    disk: platform.disk,
    sha256: platform.hash.sha256,
    intervalMs: config.scrubIntervalMs,
    bytesPerSecond: config.scrubBytesPerSecond,
    freeze: (done) => freeze(state, committer, done),
    extent: () => wal.extent(),
    expectedBytes: () =>
      state.backend().sizes().inUse + wal.extent().segments.length * config.walSegmentBytes,
    onFinding: (finding) => {
      const isData = finding.kind !== "digest";
      const message = isData ? "scrub: data at rest is damaged" : "scrub: a digest is wrong";
      platform.log("error", message, logged(finding));
      member.onFinding(finding);
    },
    failed: (error) => member.failed(error),
  });
  scrubber.start();
  return scrubber;
}

/**
 * The durable state, and the digests in memory at the moment when that state was handed to the
 * disk.
 */
function freeze(
  state: ScrubbedMember["state"],
  committer: ScrubbedMember["committer"],
  done: (frozen: Frozen) => void,
): void {
  committer.flush(({ digests }) => {
    const backend = state.backend();
    const isCurrent = (): boolean => state.backend() === backend;
    done({ view: state.view(), memory: digests, machine: state.machine(), isCurrent });
  });
}

function logged(finding: ScrubFinding): Readonly<Record<string, unknown>> {
  const { kind, what } = finding;
  switch (finding.kind) {
    case "row":
      return { kind, what, bucket: finding.bucket, "applied-index": finding.index };
    case "wal":
      return { kind, what, segment: finding.segment, offset: finding.offset };
    default:
      return {
        kind,
        what,
        buckets: finding.sums.map(({ bucket }) => bucket),
        "applied-index": finding.index,
      };
  }
}
