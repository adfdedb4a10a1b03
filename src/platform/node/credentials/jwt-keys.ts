/** Reads the files of the key that signs tokens. */
import { readFileSync } from "node:fs";
import { StartError } from "../../../base/errors.js";
import type { JwtKeys } from "./jwt.js";

/** Reads the named files; an undefined name is not read. @throws StartError */
export function readJwtKeys(of: {
  readonly method: string;
  readonly publicKeyFile: string | undefined;
  readonly privateKeyFile: string | undefined;
}): JwtKeys {
  return {
    method: of.method,
    publicKey: read("pub-key", of.publicKeyFile),
    privateKey: read("priv-key", of.privateKeyFile),
  };
}

function read(name: string, file: string | undefined): Buffer | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new StartError(`--auth-token: cannot read ${name}=${file} (${why})`);
  }
}
