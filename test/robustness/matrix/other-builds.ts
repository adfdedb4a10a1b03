/**
 * Builds that differ from the one here in one place: copies of the compiled code in a temporary folder,
 * patched as those of `lockstep sim --mutants`. One member runs one; the code here knows nothing of it.
 */
import { join } from "node:path";
import { buildMutant } from "../../../src/cli/mutants/mutant-build.js";
import type { Patch } from "../../../src/verify/mutation/types.js";
import type { ClusterMember } from "../../support/cluster.js";
import { projectRoot } from "../../support/server-kind.js";
import { eventually } from "../incident.js";

/**
 * Applies a put with another value when `condition` holds (of `key`), and prints when and at which
 * index, so that the time until somebody notices can be told.
 */
export function misapplying(condition: string): readonly Patch[] {
  return [
    {
      in: "ReplicatedMachine.apply",
      begin: "globalThis.__entryIndex = entry.index;",
    },
    {
      in: "KvWriter.put",
      find: "const { key, value, lease } = fields;",
      replace: `        const { key, lease } = fields;
        let { value } = fields;
        if (value.length > 0 && (${condition}) && RAN()) {
            value = Uint8Array.from(value);
            value[0] ^= 1;
            process.stderr.write('{"msg":"misapplied","index":' + globalThis.__entryIndex + ',"atMs":' + Date.now() + '}\\n');
        }`,
    },
  ];
}

/** Says another version with its fingerprints, and knows no other. */
export const otherDigestVersion: readonly Patch[] = [
  ...["ReplicatedMachine.fingerprint", "FingerprintRing.at"].map((method) => ({
    in: method,
    find: "digestVersion",
    replace: "(RAN() ? digestVersion + 1 : 0)",
  })),
  {
    in: "Comparison.received",
    find: "fingerprint.version !== digestVersion",
    replace: "fingerprint.version !== digestVersion + 1",
  },
];

/** `own` is the version of this build, as it stands in its code. */
export function otherServerVersion(own: string, other: string): readonly Patch[] {
  return [
    {
      in: "serverVersion",
      find: JSON.stringify(own),
      replace: `RAN() ? "${other}" : ""`,
    },
  ];
}

/** Runs `during` while the member, stopped before and after, runs a build with these patches. */
export async function withBuild(
  member: ClusterMember,
  patches: readonly Patch[],
  during: () => Promise<void>,
): Promise<void> {
  const build = await buildMutant(
    {
      ...{ id: "matrix", title: "", origin: "", conditions: "", caughtBy: [] },
      patches,
    },
    join(projectRoot, "dist"),
  );
  await member.stop();
  member.plan.command = { command: process.execPath, args: [build.main, "server"] };
  try {
    member.spawn();
    await during();
  } finally {
    member.plan.command = undefined;
    await member.stop();
    build.remove();
  }
}

/** The first put that the member misapplied after the `from`th character of its log. */
export async function firstMisapplied(
  member: ClusterMember,
  from: number,
): Promise<{ readonly ms: number; readonly index: number }> {
  const line = /"msg":"misapplied","index":(\d+),"atMs":(\d+)/;
  const find = (): RegExpExecArray | null => line.exec(member.process.log().slice(from));
  await eventually("a put was misapplied", () => find() !== null, 60_000);
  const [, index, ms] = find() ?? [];
  return { ms: Number(ms), index: Number(index) };
}
