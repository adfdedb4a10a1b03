/** The keys that users ask for, and that rights are about. */
import type { Span } from "../plan/plan.js";
import { keyName } from "./client-request.js";

export function rangeOf(key: number, span: Span): { readonly key: string; readonly end?: string } {
  const name = keyName(key);
  if (span === "one") return { key: name };
  return { key: name, end: span === "few" ? keyName(key + 2) : "\0" };
}
