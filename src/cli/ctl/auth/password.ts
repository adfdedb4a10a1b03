/** Reads a password: from a word, from standard input, or from the terminal without echo. */
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { CtlError, Exit } from "../flags.js";

/** Splits "name:password". The password is undefined if the text is the name alone. */
export function splitUser(text: string): { name: string; password: string | undefined } {
  const at = text.indexOf(":");
  if (at < 0) return { name: text, password: undefined };
  return { name: text.slice(0, at), password: text.slice(at + 1) };
}

/** Reads the first word of standard input. */
export async function passwordFromInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString().trim().split(/\s/)[0] ?? "";
}

/** Asks for a new password twice. @throws CtlError */
export async function newPassword(name: string): Promise<string> {
  const first = await askPassword(`Password of ${name}: `);
  if (first === "") throw new CtlError("empty password", Exit.badArgs);
  const second = await askPassword(`Type password of ${name} again for confirmation: `);
  if (first !== second) throw new CtlError("given passwords are different", Exit.badArgs);
  return first;
}

/** Asks for a password, and does not show what is typed. */
export async function askPassword(prompt: string): Promise<string> {
  process.stderr.write(prompt);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({
    input: process.stdin,
    output: silent,
    terminal: process.stdin.isTTY === true,
  });
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once("line", resolve);
      lines.once("close", () => reject(new CtlError("failed to ask password: EOF", Exit.badArgs)));
    });
  } finally {
    lines.close();
    process.stderr.write("\n");
  }
}
