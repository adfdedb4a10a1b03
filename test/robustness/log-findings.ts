/** What must not stand in a member's log: text that is no log line, and errors that nobody expected. */
import type { ClusterMember } from "../support/cluster.js";

const unexpected =
  /an error that nothing has handled|a request failed on an internal error|the member stopped on an error|"a read failed"/;

export function logFindings(member: ClusterMember): string[] {
  const lines = member.process.log().split("\n");
  return lines
    .filter((line) => line !== "" && !line.startsWith("--- "))
    .filter((line) => !isLogLine(line) || unexpected.test(line))
    .slice(0, 5)
    .map((line) => `${member.name} wrote: ${line.slice(0, 1_000)}`);
}

function isLogLine(line: string): boolean {
  try {
    return typeof JSON.parse(line) === "object";
  } catch {
    return false;
  }
}
