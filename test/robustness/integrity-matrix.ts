/**
 * `npm run integrity`: the fault matrix on real processes, as a Markdown table. First what stock etcd
 * 3.5 does with one flipped byte. Options: --size 10MiB (state that is there before; 1GiB has values of
 * 64 KiB to 1 MiB), --only <parts of names, by comma>, --json, --no-etcd. Exits 1 if anything was answered wrong
 * or lost that the cluster could have known.
 */
import { parseArgs } from "node:util";
import { describeMachine } from "../../bench/record/machine.js";
import type { ClusterMember } from "../support/cluster.js";
import type { Case } from "./matrix/case.js";
import { cases } from "./matrix/cases.js";
import { etcdToday } from "./matrix/etcd-today.js";
import { type Incident, Scene } from "./matrix/scene.js";
import { incidentTable } from "./matrix/table.js";
import { Stage, type StageOptions } from "./stage.js";

const { values } = parseArgs({
  options: {
    size: { type: "string", default: "10MiB" },
    only: { type: "string", default: "" },
    json: { type: "boolean", default: false },
    "no-etcd": { type: "boolean", default: false },
  },
});

const units = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const;
const [, amount = "", unit = ""] = /^(\d+)(KiB|MiB|GiB)$/.exec(values.size) ?? [];
const stateBytes = Number(amount) * (units[unit as keyof typeof units] ?? 0);
if (!(stateBytes > 0)) throw new Error(`--size ${values.size}: like 10MiB or 1GiB`);

/** Values have 4 KiB; in a large state they have 64 KiB to 1 MiB. */
function stageOptions(): StageOptions {
  const isLarge = stateBytes > 256 * units.MiB;
  const [least, step] = isLarge ? [64 * units.KiB, 64 * units.KiB] : [4 * units.KiB, 0];
  const mean = least + 7.5 * step;
  return {
    count: Math.max(200, Math.round(stateBytes / mean)),
    valueBytes: (place) => least + (place % 16) * step,
    paceMs: 2,
    flags: [
      "--snapshot-count=1000",
      "--snapshot-catchup-entries=500",
      `--quota-backend-bytes=${4 * units.GiB}`,
    ],
  };
}

async function setStage(members: Case["members"]): Promise<Stage> {
  const size = members === "learner" ? 3 : members;
  const stage = await Stage.set({ ...stageOptions(), size });
  try {
    if (members === "learner") await stage.addLearner();
  } catch (cause) {
    await stage.dispose();
    throw cause;
  }
  return stage;
}

async function suspectOf(stage: Stage, at: Case["at"]): Promise<ClusterMember> {
  if (at === "leader") return stage.cluster.leader();
  if (at === "learner") return stage.cluster.members.at(-1) as ClusterMember;
  return stage.follower();
}

const wanted = values.only.split(",");
const healWithinMs = Math.max(30_000, (stateBytes / units.GiB) * 240_000);
const incidents: Incident[] = [];
let stage: Stage | undefined;
let members: Case["members"] | undefined;

async function strike(one: Case): Promise<void> {
  if (stage === undefined || members !== one.members) {
    await stage?.dispose();
    stage = undefined;
    console.error(`a cluster of ${one.members} with ${values.size} ...`);
    stage = await setStage(one.members);
    members = one.members;
  }
  const scene = new Scene(stage, await suspectOf(stage, one.at));
  const incident = await scene.play(one.name, (at) => one.strike(at), healWithinMs);
  incidents.push(incident);
  console.error(
    `${one.name}: ${incident.ends}, wrong ${incident.reads.wrong}, lost ${incident.lost}`,
  );
  const isUsable = ["heals", "catches up", "not comparable"].includes(incident.ends);
  const isRenewed = ["refuses", "is removed"].includes(incident.ends) && one.members === 3;
  if (one.isLast === true || incident.lost !== "0" || !(isUsable || isRenewed)) {
    await stage.dispose();
    stage = undefined;
  }
}

const failures: string[] = [];
try {
  const today = values["no-etcd"] ? undefined : await etcdToday();
  for (const one of cases.filter(({ name }) => wanted.some((part) => name.includes(part)))) {
    try {
      await strike(one);
    } catch (cause) {
      failures.push(`${one.name}: ${(cause as Error).message}`);
      console.error(failures.at(-1));
      await stage?.dispose();
      stage = undefined;
    }
  }
  const machine = describeMachine();
  if (values.json) console.log(JSON.stringify({ size: values.size, machine, today, incidents }));
  else {
    console.log(`state ${values.size}; ${machine}\n`);
    if (today !== undefined) {
      console.log(
        `stock etcd 3.5, one byte of a value flipped in member/snap/db of a stopped member: ` +
          `${today.wrong} of ${today.reads} reads at that member wrong, ${today.alarms} alarms\n`,
      );
    }
    console.log(incidentTable(incidents));
  }
} finally {
  await stage?.dispose();
}
for (const failure of failures) console.error(`not run: ${failure}`);
const isWrong = incidents.some(({ reads, lost }) => reads.wrong > 0 || !["0", "-"].includes(lost));
process.exitCode = isWrong || failures.length > 0 ? 1 : 0;
