/**
 * Runs `lockstep sim --json` as a child process, and reads its lines. A child that prints nothing
 * for minutes is ended and reported as a hang: the unchanged code needs about a second for a seed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { SeedLine } from "../sim-run.js";
import type { SimOutput } from "./mutant-run.js";

const silenceMsMax = 120_000;
/** Exit codes of a campaign that finished: clean, violation, liveness, crash. */
const ordinaryCodes: readonly (number | null)[] = [0, 1, 3, 4];

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export async function runSimProcess(main: string, words: readonly string[]): Promise<SimOutput> {
  const child = spawn(process.execPath, [main, "sim", ...words], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  let complaint = "";
  child.stderr.on("data", (bytes: Buffer) => {
    complaint = (complaint + bytes.toString()).slice(-2000);
  });
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  let isSilent = false;
  const silence = setTimeout(() => {
    isSilent = true;
    child.kill("SIGKILL");
  }, silenceMsMax);
  const lines: SeedLine[] = [];
  let isComplete = false;
  for await (const text of createInterface({ input: child.stdout })) {
    silence.refresh();
    const line = JSON.parse(text) as SeedLine | { readonly summary: true };
    if ("summary" in line) isComplete = true;
    else lines.push(line);
  }
  const code = await closed;
  clearTimeout(silence);
  running.delete(child);
  if (isSilent) return { lines, error: `said nothing for ${silenceMsMax / 1000} s` };
  const isOrdinary = isComplete && ordinaryCodes.includes(code);
  return { lines, error: isOrdinary ? undefined : `ended with code ${code}: ${complaint}` };
}
