/** The machine of a bench run, in one line. */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { cpus, loadavg, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";

const SYNCS = 300;

/** Mean milliseconds of one 4 KiB write and fdatasync where the members keep their data. */
function syncMs(): number {
  const folder = mkdtempSync(join(tmpdir(), "lockstep-bench-"));
  const file = openSync(join(folder, "sync"), "w");
  const block = Buffer.alloc(4_096, 1);
  const startedAt = performance.now();
  for (let i = 0; i < SYNCS; i++) {
    writeSync(file, block);
    fdatasyncSync(file);
  }
  const each = (performance.now() - startedAt) / SYNCS;
  closeSync(file);
  rmSync(folder, { recursive: true });
  return each;
}

export function describeMachine(): string {
  const list = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return [
    `${list.length} x ${list[0]?.model ?? "unknown processor"}, ${memory} memory`,
    `Linux ${release()}, Node ${process.version}`,
    `4 KiB write + fdatasync ${syncMs().toFixed(2)} ms`,
    // More than about 1: other work ran beside it, and only ratios say anything.
    `load average before it ${(loadavg()[0] ?? 0).toFixed(1)}`,
    "client, servers and all members on this machine, loopback",
  ].join("; ");
}
