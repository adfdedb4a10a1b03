/** What a member's log says of its own end: a panic of Go, a fatal error, a broken invariant. */
import { existsSync, readFileSync } from "node:fs";

const signs = [
  /^panic: .*/m,
  /^fatal error: .*/m,
  /^.*"level":"(?:panic|dpanic)".*/m,
  /^.*(?:InvariantViolation|Uncaught|UnhandledPromiseRejection).*/m,
];
const charactersMax = 300;

export function logFindings(member: string, file: string): readonly string[] {
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  return signs.flatMap((sign) => {
    const line = sign.exec(text)?.[0];
    return line === undefined ? [] : [`${member} said: ${line.slice(0, charactersMax)}`];
  });
}
