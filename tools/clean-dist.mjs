/** Removes from dist/ what src/ no longer has, so that a moved file is not compiled code twice. */
import { existsSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");
const dist = path.join(root, "dist");
for (const name of existsSync(dist) ? readdirSync(dist, { recursive: true }) : []) {
  const source = name.replace(/(\.d\.ts|\.js)(\.map)?$/, ".ts");
  if (source !== name && !existsSync(path.join(root, "src", source))) rmSync(path.join(dist, name));
}
