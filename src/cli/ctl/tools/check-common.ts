/** What the checks share: sizes of load, and a prefix whose keys they write and delete. */

import { prefixEnd } from "../../../base/bytes.js";
import type { Context } from "../context.js";
import { CtlError, Exit, type Flags } from "../flags.js";
import { methods } from "../method.js";

export const cleanUpFlags = { "auto-compact": false, "auto-defrag": false };

const words: Readonly<Record<string, string>> = {
  small: "s",
  medium: "m",
  large: "l",
  xlarge: "xl",
};

/** The load that --load names by a letter or a word. @throws CtlError */
export function loadOf<Load>(loads: Readonly<Record<string, Load>>, flags: Flags): Load {
  const name = flags.text("load").toLowerCase();
  const load = loads[words[name] ?? name];
  if (load !== undefined) return load;
  throw new CtlError(`unknown load option ${flags.text("load")}`, Exit.badFeature);
}

function rangeOf({ flags }: Context): { readonly key: Buffer; readonly range_end: Buffer } {
  const key = Buffer.from(flags.text("prefix"));
  if (key.length === 0) throw new CtlError("--prefix must not be empty", Exit.badArgs);
  return { key, range_end: Buffer.from(prefixEnd(key)) };
}

/** @throws CtlError when there are keys that the check would delete at its end */
export async function prefixMustBeFree(context: Context): Promise<void> {
  const { client, flags } = context;
  const prefix = flags.text("prefix");
  const { count } = await client.call(methods.range, { ...rangeOf(context), count_only: true });
  if (count === 0n) return;
  throw new CtlError(
    `prefix "${prefix}" has keys. Delete with \`lockstep ctl del --prefix ${prefix}\` first`,
  );
}

/** Deletes the keys; then compacts and defragments as the flags say. */
export async function cleanUp(context: Context): Promise<void> {
  const { client, flags } = context;
  const { header } = await client.call(methods.deleteRange, rangeOf(context));
  if (flags.isOn("auto-compact")) {
    await client.call(methods.compact, { revision: header?.revision ?? 0n, physical: true });
  }
  if (!flags.isOn("auto-defrag")) return;
  for (const endpoint of client.endpoints) await client.call(methods.defragment, {}, endpoint);
}
