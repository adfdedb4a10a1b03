/**
 * Random changes of rights between reads, writes and watches of one user: no answer and no event
 * shows a key that the user may not read in the state that gave it. Rights are judged here key by
 * key from the list of permissions, by other code than the store's.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Permission_Type } from "../wire/gen/auth.js";
import {
  AuthRoleGrantPermissionRequest,
  AuthRoleRevokePermissionRequest,
  AuthUserGrantRoleRequest,
  AuthUserRevokeRoleRequest,
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
  WatchRequest,
  WatchResponse,
} from "../wire/gen/rpc.js";
import { withUsers } from "./auth.fixture.js";
import { FakeStream, filled } from "./call.fixture.js";

const key = fc.constantFrom("a", "b", "c", "d");
const end = fc.constantFrom("", "b", "c", "d", "e", "\0");
const range = fc.record({ key, end }).filter((one) => isSound(one));
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("grant" as const), range, type: fc.nat(2) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("revoke" as const), range }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("join" as const, "leave" as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        ...(["get", "getInTxn", "putWithOld", "deleteWithOld", "rootPut", "watch"] as const),
      ),
      range,
    }),
  },
);

interface KeyRange {
  readonly key: string;
  readonly end: string;
}

function isSound({ key: from, end: to }: KeyRange): boolean {
  return to === "" || to === "\0" || from < to;
}

function contains({ key: from, end: to }: KeyRange, name: string): boolean {
  if (to === "") return name === from;
  return name >= from && (to === "\0" || name < to);
}

test("nobody is shown a key without the right to read it in that state", () => {
  let shown = 0;
  const run = (steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[]): void => {
    const scene = withUsers();
    const { call, tokens, methods, endTurn } = scene;
    let isMember = true;
    let permissions = [
      { range: { key: "a", end: "c" }, type: Permission_Type.READ },
      { range: { key: "b", end: "" }, type: Permission_Type.WRITE },
    ];
    const mayRead = (name: string): boolean =>
      isMember &&
      permissions.some((one) => one.type !== Permission_Type.WRITE && contains(one.range, name));
    const check = (names: readonly (Buffer | undefined)[]): void => {
      for (const name of names) {
        shown++;
        expect([name?.toString(), mayRead(String(name))]).toEqual([name?.toString(), true]);
      }
    };
    const watches: FakeStream[] = [];
    const drain = (): void => {
      for (const stream of watches) {
        for (const message of stream.sent.splice(0)) {
          check(WatchResponse.decode(message).events.map(({ kv }) => kv?.key));
        }
      }
    };
    for (const one of steps) {
      const asked = "range" in one ? one.range : { key: "a", end: "" };
      const bytes = { key: Buffer.from(asked.key), range_end: Buffer.from(asked.end) };
      const u = (path: string, request: Uint8Array) => call(path, request, tokens.u).answer;
      switch (one.kind) {
        case "grant": {
          const perm = { permType: one.type as Permission_Type, ...bytes };
          const request = AuthRoleGrantPermissionRequest.encode({ name: "r", perm }).finish();
          call("Auth/RoleGrantPermission", request, tokens.root);
          // As in etcd: only the first permission of a key can be changed by a grant.
          const first = permissions.filter(({ range: { key: from } }) => from === asked.key).at(0);
          if (first?.range.end === asked.end) first.type = one.type;
          else permissions.push({ range: asked, type: one.type });
          break;
        }
        case "revoke": {
          const request = AuthRoleRevokePermissionRequest.encode({ role: "r", ...bytes }).finish();
          call("Auth/RoleRevokePermission", request, tokens.root);
          permissions = permissions.filter(
            (known) => known.range.key !== asked.key || known.range.end !== asked.end,
          );
          break;
        }
        case "join":
          call(
            "Auth/UserGrantRole",
            AuthUserGrantRoleRequest.encode({ user: "u", role: "r" }).finish(),
            tokens.root,
          );
          isMember = true;
          break;
        case "leave":
          call(
            "Auth/UserRevokeRole",
            AuthUserRevokeRoleRequest.encode({ name: "u", role: "r" }).finish(),
            tokens.root,
          );
          isMember = false;
          break;
        case "get": {
          const request = { ...filled(RangeRequest, bytes), limit: 1n };
          const answer = u("KV/Range", RangeRequest.encode(request).finish());
          check(answer === undefined ? [] : RangeResponse.decode(answer).kvs.map((kv) => kv.key));
          break;
        }
        case "getInTxn": {
          const value = filled(RangeRequest, bytes);
          const put = filled(PutRequest, { key: Buffer.from("b") });
          const success = [
            { request: { $case: "request_range" as const, value } },
            { request: { $case: "request_put" as const, value: put } },
          ];
          const answer = u("KV/Txn", TxnRequest.encode(filled(TxnRequest, { success })).finish());
          const [first] = answer === undefined ? [] : TxnResponse.decode(answer).responses;
          const inner = first?.response;
          check(inner?.$case === "response_range" ? inner.value.kvs.map((kv) => kv.key) : []);
          break;
        }
        case "putWithOld": {
          const request = filled(PutRequest, { key: bytes.key, prev_kv: true });
          const answer = u("KV/Put", PutRequest.encode(request).finish());
          const old = answer === undefined ? undefined : PutResponse.decode(answer).prev_kv;
          check(old === undefined ? [] : [old.key]);
          break;
        }
        case "deleteWithOld": {
          const request = DeleteRangeRequest.encode({ ...bytes, prev_kv: true }).finish();
          const answer = u("KV/DeleteRange", request);
          const old = answer === undefined ? [] : DeleteRangeResponse.decode(answer).prev_kvs;
          check(old.map((kv) => kv.key));
          break;
        }
        case "rootPut": {
          const request = PutRequest.encode(filled(PutRequest, { key: bytes.key })).finish();
          call("KV/Put", request, tokens.root);
          break;
        }
        case "watch": {
          const value = {
            ...{ ...bytes, start_revision: 0n, progress_notify: false, filters: [] },
            ...{ prev_kv: false, watch_id: 0n, fragment: false },
          };
          const request = { request_union: { $case: "create_request" as const, value } };
          const stream = new FakeStream(WatchRequest.encode(request).finish(), 1_000, tokens.u);
          const method = methods.find(({ path }) => path.endsWith("/Watch"));
          if (method?.kind === "bidi") method.handle(stream);
          watches.push(stream);
          break;
        }
      }
      drain();
      if (one.kind === "rootPut") endTurn();
    }
  };
  fc.assert(fc.property(fc.array(step, { minLength: 20, maxLength: 60 }), run), { numRuns: 60 });
  expect(shown).toBeGreaterThan(100);
});
