/**
 * Reads in a member's log why it ended: a panic of Go, a fatal error, a broken invariant. Also
 * finds that a state was wrong. A member of lockstep heals from the others before any client sees
 * it; but if no fault harmed a disk, that is a bug, too.
 */
import { existsSync, readFileSync } from "node:fs";
import type { LogSpan } from "./log-spans.js";

const ofGo = [/^panic: .*/m, /^fatal error: .*/m, /^.*"level":"(?:panic|dpanic)".*/m];
const ofNode = [/^.*(?:InvariantViolation|Uncaught|UnhandledPromiseRejection).*/m];
const noSpace = /no space left on device/;
const wrongState = [
  /^.*"msg":"quarantine: .*/m,
  /^.*(?:alarm raised.*CORRUPT|found data inconsistency with peers).*/m,
];
const wrongWithoutFault = "came to a wrong state although nothing harmed its disk";
const charactersMax = 400;

/**
 * `isDiskHarmed`: the run made a state wrong on purpose. `fullSpans`: the parts of the log while no
 * space was left on the member's disk. Go's panics in a part that tells so are no findings.
 */
export function logFindings(
  member: string,
  options: {
    readonly file: string;
    readonly isDiskHarmed: boolean;
    readonly fullSpans: readonly LogSpan[];
  },
): readonly string[] {
  const { file, isDiskHarmed, fullSpans } = options;
  const log = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
  const text = log.toString("utf8");
  const told = (sign: RegExp, what: string, where = text): readonly string[] => {
    const line = sign.exec(where)?.[0];
    return line === undefined ? [] : [`${member} ${what}: ${line.slice(0, charactersMax)}`];
  };
  const withSpace = withoutFull(log, fullSpans);
  return [
    ...ofGo.flatMap((sign) => told(sign, "said", withSpace)),
    ...ofNode.flatMap((sign) => told(sign, "said")),
    ...(isDiskHarmed ? [] : wrongState.flatMap((sign) => told(sign, wrongWithoutFault))),
  ];
}

/** The log without the parts in which the member told that its disk was full. */
function withoutFull(log: Buffer, spans: readonly LogSpan[]): string {
  const kept: string[] = [];
  let at = 0;
  for (const { from, to } of spans) {
    const span = log.toString("utf8", from, to);
    if (!noSpace.test(span)) continue;
    kept.push(log.toString("utf8", at, from));
    at = to ?? log.length;
  }
  return [...kept, log.toString("utf8", at)].join("\n");
}
