import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeBackend } from "../../backend.contract.js";
import { createLmdbBackendStore } from "./backend.js";

describeBackend("lmdb", () => {
  const root = mkdtempSync(join(tmpdir(), "lmdb-backend-"));
  return {
    store: createLmdbBackendStore(root),
    reopen: () => createLmdbBackendStore(root),
    dispose: () => rmSync(root, { recursive: true }),
  };
});
