/** `lockstep sim`: the simulator's commands, by their second word. */
import { processIo, runSimDesigns } from "./sim-designs.js";

const usage = `Usage: lockstep sim <command> [flags]

  designs  the designs of keeping the consistent index, and what each gets wrong
`;

export function runSim(words: readonly string[]): number {
  const [command, ...rest] = words;
  if (command === "designs") return runSimDesigns(rest, processIo);
  if (command === "help" || command === "--help" || command === "-h") {
    process.stdout.write(usage);
    return 0;
  }
  process.stderr.write(command === undefined ? usage : `unknown command "${command}"\n\n${usage}`);
  return 2;
}
