import { describe, expect, test } from "vitest";
import type { MemberRecord } from "../types.js";
import {
  initialVersion,
  isAtLeast,
  mayServe,
  minorsAhead,
  nextVersion,
  parseVersion,
  type Version,
  versionText,
} from "./version.js";

function running(...versions: (string | undefined)[]): MemberRecord[] {
  return versions.map((serverVersion, place) => ({
    id: BigInt(place + 1),
    name: `m${place}`,
    peerUrls: [],
    clientUrls: [],
    isLearner: false,
    serverVersion,
  }));
}

describe("versions", () => {
  test.each([
    ["3.6", "3.6.0"],
    ["3.6.9", "3.6.0"],
    ["v3.12.1", "3.12.0"],
    ["4.0.0-rc.1+build.7", "4.0.0"],
  ])("%s is of %s", (text, minor) => {
    expect(versionText(parseVersion(text) as Version)).toBe(minor);
  });

  test.each(["", "3", "3.", "3.x", "3.6.", "3.6.0.1", " 3.6.0", "3.6.0 ", "-3.6.0", "3.6-rc.1"])(
    "%j is none",
    (text) => expect(parseVersion(text)).toBeUndefined(),
  );

  test("distance counts minors, by number and not by text, and none across majors", () => {
    const ahead = (a: string, b: string) =>
      minorsAhead(parseVersion(a) as Version, parseVersion(b) as Version);
    expect(ahead("3.10.0", "3.9.5")).toBe(1);
    expect(ahead("3.6.9", "3.6.0")).toBe(0);
    expect(ahead("3.6.0", "3.8.0")).toBe(-2);
    expect(ahead("4.0.0", "3.99.0")).toBe(Number.POSITIVE_INFINITY);
    expect(ahead("3.99.0", "4.0.0")).toBe(Number.NEGATIVE_INFINITY);
  });

  test("the gate: an undecided cluster has the oldest semantics", () => {
    expect(isAtLeast("3.7.0", "3.7")).toBe(true);
    expect(isAtLeast("3.10.0", "3.7")).toBe(true);
    expect(isAtLeast("3.6.0", "3.7")).toBe(false);
    expect(isAtLeast("", "3.7")).toBe(false);
    expect(isAtLeast("", "3.6")).toBe(true);
  });

  test("a member serves its own minor and the one below", () => {
    const served = ["3.5.0", "3.6.4", "3.7.1", "3.8.0", "4.6.0"].filter((own) =>
      mayServe(own, "3.6.0"),
    );
    expect(served).toEqual(["3.6.4", "3.7.1"]);
  });
});

describe("the cluster's version", () => {
  test("begins with the lowest that is known; who has not spoken may be one behind", () => {
    expect(initialVersion("3.6.0", running(undefined, undefined))).toBe("3.6.0");
    expect(initialVersion("3.7.3", running("3.7.3", "3.7.0"))).toBe("3.7.0");
    expect(initialVersion("3.7.3", running("3.7.3", undefined))).toBe("3.6.0");
    expect(initialVersion("3.8.0", running(undefined, "3.8.0"))).toBe("3.7.0");
    expect(initialVersion("3.8.0", running("3.8.0", "3.6.1"))).toBe("3.6.0");
    expect(initialVersion("4.0.0", running(undefined))).toBe("4.0.0");
  });

  test("goes up by one when all members have said that they run it", () => {
    expect(nextVersion("3.6.0", running("3.7.0", "3.7.5"))).toBe("3.7.0");
    expect(nextVersion("3.6.0", running("3.8.0", "3.9.0"))).toBe("3.7.0");
    expect(nextVersion("3.6.0", running("3.7.0", "3.6.9"))).toBeUndefined();
    expect(nextVersion("3.6.0", running("3.7.0", undefined))).toBeUndefined();
    expect(nextVersion("3.7.0", running("3.7.0", "3.7.0"))).toBeUndefined();
    expect(nextVersion("3.6.0", [])).toBeUndefined();
  });
});
