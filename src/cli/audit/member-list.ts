/** Compares the audited endpoints with the cluster's own list of members. Pure. */
import { lastSample, type MemberEvidence } from "../../audit/evidence.js";
import type { Member } from "../../wire/gen/rpc.js";

function bare(url: string): string {
  return url.replace(/^https?:\/\//, "").replace(/\/$/, "");
}
export function leadsTo(endpoint: string, { clientURLs }: Member): boolean {
  return clientURLs.some((url) => bare(url) === bare(endpoint));
}
export function nameOf({ name, ID }: Member): string {
  return name === "" ? ID.toString(16) : name;
}
function isUnstarted({ clientURLs }: Member): boolean {
  return clientURLs.length === 0;
}
function unstartedMember(member: Member): MemberEvidence {
  return {
    endpoint: `member ${nameOf(member)}`,
    name: nameOf(member),
    passes: [],
    failure: "it has not told its address yet",
    readFailure: undefined,
  };
}

/** Members without a known client address. */
export function unstartedOf(list: readonly Member[]): readonly MemberEvidence[] {
  return list.filter(isUnstarted).map(unstartedMember);
}

/** One endpoint for each member. */
export function clientUrls(list: readonly Member[]): readonly string[] {
  return list.flatMap(({ clientURLs }) => clientURLs.slice(0, 1));
}

/**
 * The member behind a silent endpoint is unknown, unless a member names that address as its own.
 */
export function unaskedOf(
  members: readonly MemberEvidence[],
  list: readonly Member[],
): readonly string[] {
  const ids = new Set(members.map((each) => lastSample(each)?.memberId));
  const missing = list.filter(
    (each) => !ids.has(each.ID) && !members.some(({ endpoint }) => leadsTo(endpoint, each)),
  );
  const unknown = members.filter((each) => each.name === undefined);
  return unknown.length > 0 ? [] : missing.map(nameOf);
}
