import { describe, expect, test } from "vitest";
import { KvError } from "../../base/errors.js";
import { Bucket } from "../../platform/rows.js";
import { User } from "../../wire/gen/auth.js";
import { AuthScene } from "./auth.fixture.js";
import { AuthTable } from "./auth-table.js";

const told = (result: unknown): unknown =>
  result instanceof KvError ? result.reason : (result as { type: string }).type;

function withRoot(): AuthScene {
  const scene = new AuthScene();
  scene.addUser("root");
  scene.grantRole("root", "root");
  return scene;
}

describe("auth entries", () => {
  test("auth needs the user root with the role root; the role need not exist", () => {
    const scene = new AuthScene();
    expect(told(scene.enable())).toBe("rootUserNotExist");
    scene.addUser("root");
    expect(told(scene.enable())).toBe("rootRoleNotExist");
    expect(told(scene.grantRole("root", "other"))).toBe("roleNotFound");
    expect(told(scene.grantRole("root", "root"))).toBe("rights");
    expect(scene.table.revision).toBe(3);
    expect(told(scene.enable())).toBe("enabled");
    expect(told(scene.enable())).toBe("enabled");
    expect([scene.table.isEnabled, scene.table.revision]).toEqual([true, 3]);
    expect(told(scene.disable())).toBe("disabled");
    expect([scene.table.isEnabled, scene.table.revision]).toEqual([false, 4]);
    scene.disable();
    expect(scene.table.revision).toBe(4);
  });

  test("rows are etcd's", () => {
    const scene = withRoot();
    scene.addUser("u", "aGFzaA==");
    scene.addRole("r");
    scene.grant("r", "readwrite", ["a", "b"]);
    scene.grantRole("u", "r");
    scene.enable();
    expect(scene.rows.dump(Bucket.auth)).toEqual([
      `${Buffer.from("authEnabled").toString("hex")}=01`,
      `${Buffer.from("authRevision").toString("hex")}=0000000000000007`,
    ]);
    // authpb.User{name "u", password "hash", roles "r", options {}}
    expect(scene.rows.dump(Bucket.authUsers)[1]).toBe("75=0a01751204686173681a01722200");
    // authpb.Role{name "r", keyPermission {READWRITE, "a", "b"}}
    expect(scene.rows.dump(Bucket.authRoles)).toEqual(["72=0a0172120808021201611a0162"]);
  });

  test("root keeps its role while auth is on", () => {
    const scene = withRoot();
    scene.addRole("root");
    scene.enable();
    for (const refused of [
      scene.deleteUser("root"),
      scene.revokeRole("root", "root"),
      scene.deleteRole("root"),
    ]) {
      expect(told(refused)).toBe("invalidAuthMgmt");
    }
    scene.disable();
    expect(told(scene.revokeRole("root", "root"))).toBe("rights");
    expect(told(scene.deleteUser("root"))).toBe("userEnded");
  });

  test("names that are missing, taken, empty or too long change nothing", () => {
    const scene = withRoot();
    scene.addRole("r");
    const { writes } = scene.rows;
    const refusals = [
      scene.addUser(""),
      scene.addUser("root"),
      scene.addUser("x".repeat(512)),
      scene.addUser("u", "no base64"),
      scene.deleteUser("nobody"),
      scene.changePassword("nobody"),
      scene.grantRole("nobody", "r"),
      scene.revokeRole("nobody", "r"),
      scene.revokeRole("root", "r"),
      scene.addRole(""),
      scene.addRole("r"),
      scene.deleteRole("none"),
      scene.grant("none", "read", ["a"]),
      scene.revoke("none", ["a"]),
      scene.revoke("r", ["a"]),
      scene.grant("r", "read", [""]),
      scene.grant("r", "read", ["b", "a"]),
      scene.authenticate("root"),
    ].map(told);
    expect(refusals).toEqual([
      ...["userEmpty", "userExists", "nameTooLong", "noPasswordUser"],
      ...["userNotFound", "userNotFound", "userNotFound", "userNotFound", "roleNotGranted"],
      ...["roleEmpty", "roleExists", "roleNotFound", "roleNotFound", "roleNotFound"],
      ...["permissionNotGranted", "invalidAuthMgmt", "invalidAuthMgmt", "authNotEnabled"],
    ]);
    expect([scene.rows.writes, scene.table.revision]).toEqual([writes, 4]);
  });

  test("a deleted role leaves its users, and roles stay sorted by their bytes", () => {
    const scene = withRoot();
    const names = ["\u{10000}", "\uffff", "b", "a"];
    scene.addUser("u");
    for (const name of names) {
      scene.addRole(name);
      scene.grantRole("u", name);
    }
    expect(scene.table.user("u")?.roles).toEqual(["a", "b", "\uffff", "\u{10000}"]);
    scene.deleteRole("b");
    expect(scene.table.user("u")?.roles).toEqual(["a", "\uffff", "\u{10000}"]);
    expect(scene.table.roles().map(({ name }) => name)).toEqual(["a", "\uffff", "\u{10000}"]);
  });

  test("a user without a password cannot log in, and keeps its options", () => {
    const scene = withRoot();
    scene.addUser("cert", "", true);
    scene.enable();
    expect(told(scene.authenticate("cert"))).toBe("authFailed");
    expect(told(scene.authenticate("nobody"))).toBe("authFailed");
    expect(told(scene.changePassword("cert"))).toBe("userEnded");
    const [row] = scene.rows.dump(Bucket.authUsers);
    const user = User.decode(Buffer.from(row?.split("=")[1] ?? "", "hex"));
    expect([user.password.length, user.options]).toEqual([0, { no_password: true }]);
    expect(scene.authenticate("root")).toEqual({
      ...{ type: "authenticated", user: "root", simpleToken: "t", authRevision: 5 },
    });
  });

  test("the same range again changes its type; a second range of a key stands beside it", () => {
    const scene = withRoot();
    scene.addRole("r");
    scene.grant("r", "read", ["b"]);
    scene.grant("r", "read", ["a", "c"]);
    scene.grant("r", "write", ["b"]);
    scene.grant("r", "read", ["b", "c"]);
    const shown = scene.table
      .role("r")
      ?.permissions.map(({ type, key, rangeEnd }) => `${type} ${key} ${rangeEnd}`);
    expect(shown).toEqual(["0 97 99", "1 98 ", "0 98 99"]);
    scene.revoke("r", ["b"]);
    expect(scene.table.role("r")?.permissions).toHaveLength(2);
  });

  test("a restored table equals the one that wrote the rows", () => {
    const scene = withRoot();
    scene.addUser("u");
    scene.addRole("r");
    scene.grant("r", "read", ["a", "\0"]);
    scene.grantRole("u", "r");
    scene.enable();
    const restored = new AuthTable();
    restored.restore(scene.rows);
    const shown = (table: AuthTable) => [
      ...[table.isEnabled, table.revision, table.users(), table.roles()],
    ];
    expect(shown(restored)).toEqual(shown(scene.table));
    expect(restored.rights("u")).toEqual(scene.table.rights("u"));
  });
});
