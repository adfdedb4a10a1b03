import { expect, test } from "vitest";
import type { MemberRecord } from "../../state/types.js";
import { MemberNews } from "./member-news.js";

const member = (id: bigint, more: Partial<MemberRecord> = {}): MemberRecord =>
  ({ id, name: "", peerUrls: [`http://m${id}`], isLearner: false, ...more }) as MemberRecord;

test("each change is told once and counted; what was known at the start is no news", () => {
  const lines: string[] = [];
  const log = (_level: string, message: string, fields = {}): void => {
    lines.push(`${message} ${(fields as Record<string, unknown>)["remote-peer-id"]}`);
  };
  const news = new MemberNews(log, [member(1n), member(2n)]);
  news.look([member(1n), member(2n, { name: "named since" })]);
  expect(lines).toEqual([]);
  news.look([member(1n), member(2n), member(10n, { isLearner: true })]);
  news.look([member(1n), member(10n), member(2n, { peerUrls: ["http://moved"] })]);
  news.look([member(10n), member(2n, { peerUrls: ["http://moved"] }), member(3n)]);
  expect(lines).toEqual([
    "added member a",
    "promoted member a",
    "updated member 2",
    "added member 3",
    "removed member 1",
  ]);
  expect([...news.counts()]).toEqual([
    ["added", 2],
    ["promoted", 1],
    ["updated", 1],
    ["removed", 1],
  ]);
});
