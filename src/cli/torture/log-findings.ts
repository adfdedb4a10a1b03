/**
 * Reads in a member's log why it ended: a panic of Go, a fatal error, a broken invariant. Also
 * finds that a state was wrong. A member of lockstep heals from the others before any client sees
 * it; but if no fault harmed a disk, that is a bug, too.
 */
import { existsSync, readFileSync } from "node:fs";

const ofGo = [/^panic: .*/m, /^fatal error: .*/m, /^.*"level":"(?:panic|dpanic)".*/m];
const signs = [...ofGo, /^.*(?:InvariantViolation|Uncaught|UnhandledPromiseRejection).*/m];
const wrongState = [
  /^.*"msg":"quarantine: .*/m,
  /^.*(?:alarm raised.*CORRUPT|found data inconsistency with peers).*/m,
];
const wrongWithoutFault = "came to a wrong state although nothing harmed its disk";
const charactersMax = 400;

/** `isDiskHarmed`: the run made a state wrong on purpose. */
export function logFindings(
  member: string,
  options: { readonly file: string; readonly isDiskHarmed: boolean },
): readonly string[] {
  const { file, isDiskHarmed } = options;
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  const told = (sign: RegExp, what: string): readonly string[] => {
    const line = sign.exec(text)?.[0];
    return line === undefined ? [] : [`${member} ${what}: ${line.slice(0, charactersMax)}`];
  };
  // A full disk was a fault of the run, and etcd says so by a panic.
  const wasFull = isDiskHarmed && /no space left on device/.test(text);
  const asked = wasFull ? signs.filter((sign) => !ofGo.includes(sign)) : signs;
  return [
    ...asked.flatMap((sign) => told(sign, "said")),
    ...(isDiskHarmed ? [] : wrongState.flatMap((sign) => told(sign, wrongWithoutFault))),
  ];
}
