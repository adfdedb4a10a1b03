/** Standard input, whole or line by line; a terminal counts as empty where a whole is wanted. */
import readline from "node:readline";

export async function standardInput(): Promise<Buffer> {
  if (process.stdin.isTTY) return Buffer.alloc(0);
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** Lines without their ends, as they come. */
export function standardInputLines(): AsyncIterator<string> {
  return readline
    .createInterface({ input: process.stdin, terminal: false })
    [Symbol.asyncIterator]();
}
