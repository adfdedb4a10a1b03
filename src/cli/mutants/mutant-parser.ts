/**
 * Loads the parser of mutants when a mutant is to be applied. Only development needs this package;
 * a store never loads it.
 */
import type { Parse, SyntaxNode } from "../../verify/mutation/syntax.js";

/** @throws Error that says how to get the parser, if it is not installed */
export async function loadParser(): Promise<Parse> {
  const { parseSync } = await import("oxc-parser").catch((error: Error) => {
    throw new Error(
      `mutants need the package oxc-parser, which is not installed: run "npm install --no-save oxc-parser@0.156" beside Lockstep, or "npm ci" in its repository (${error.message.split("\n")[0]})`,
    );
  });
  return (text) => {
    const { program, errors } = parseSync("code.ts", text, {
      ...({ sourceType: "module", preserveParens: false } as const),
    });
    const [error] = errors;
    if (error !== undefined) throw new Error(error.message);
    return program as unknown as SyntaxNode;
  };
}
