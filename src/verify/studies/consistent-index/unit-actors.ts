/**
 * The actors of our own member around its backend, as in src/state/machine.ts,
 * src/state/entry-write.ts and src/storage/committer.ts. An entry gathers its rows in its own
 * handle and gives them to the backend in one write that also holds the index. There is no mutex,
 * and no index in memory that a commit could use. A commit never adds a row.
 *
 * unit-actors.test.ts shows on the production machine that each kind of entry is exactly one write.
 */
import { indexRow, type StudyRow, sectionsOf } from "./log-entry.js";
import { entryAt, type UnitMember } from "./member-model.js";
import { type Actor, forEntry, forLimit, type Steps, step, stepWhen } from "./step.js";

export function unitActors(member: UnitMember): readonly Actor[] {
  // Log entries remove old revisions, so no worker writes by itself.
  return [
    { name: "apply", steps: applyLoop(member) },
    { name: "ticker", steps: ticker(member) },
    { name: "backup", steps: backup(member) },
    { name: "defrag", steps: defrag(member) },
  ];
}

function* applyLoop(member: UnitMember): Steps {
  const { plan } = member;
  for (let index = member.applied + 1; index <= plan.log.length; index++) {
    yield* forEntry(index, applyEntry(member, index));
    if (index % plan.snapshotEvery === 0) {
      yield* forEntry(index, forLimit("snapshotEvery", releaseLog(member, index)));
    }
  }
}

function* applyEntry(member: UnitMember, index: number): Steps {
  const { store, plan, counters } = member;
  const unit: StudyRow[] = [];
  yield stepWhen(
    `gather the rows of entry ${index}`,
    () => !store.isPaused,
    () => {
      store.isInEntry = true;
      for (const section of sectionsOf(entryAt(plan, index), store.rows)) unit.push(...section);
    },
  );
  const write = step("", () => {
    store.write([...unit, [indexRow, index]]);
    counters.indexWrites++;
    counters.entries++;
    member.applied = index;
  });
  const shown = (): string => unit.map(([name, value]) => `${name}=${value}, `).join("");
  yield { ...write, text: () => `one write: ${shown()}index=${index}` };
}

/** The member removes log only below an index that is durable. */
function* releaseLog(member: UnitMember, index: number): Steps {
  yield* commit(member, () => true);
  yield step(`log released up to ${index}`, () => {
    member.snapshotIndex = index;
  });
}

function* commit(member: UnitMember, isDue: () => boolean): Steps {
  const { store, counters } = member;
  yield stepWhen(
    "commit starts",
    () => !store.isCommitting && isDue(),
    () => store.startCommit(),
  );
  yield step("commit is durable", () => {
    store.finishCommit();
    counters.commits++;
  });
}

function* ticker(member: UnitMember): Steps {
  for (;;) yield* commit(member, () => member.store.pending > 0);
}

function* backup(member: UnitMember): Steps {
  for (;;) yield* commit(member, () => true);
}

/**
 * The member applies nothing meanwhile; an entry that has begun ends first
 * (src/storage/defragmenter.ts).
 */
function* defrag(member: UnitMember): Steps {
  const { store } = member;
  for (;;) {
    yield stepWhen(
      "pause",
      () => !store.isInEntry,
      () => {
        store.isPaused = true;
      },
    );
    yield* commit(member, () => true);
    yield step("copy and change file", () => store.changeFile());
    yield step("resume", () => {
      store.isPaused = false;
    });
  }
}
