/** What the commands about users and roles have in common. */
import type { ResponseHeader } from "../../../wire/gen/rpc.js";
import { type Context, headerFields, show } from "../context.js";
import { CtlError, Exit } from "../flags.js";
import { message } from "../print-values.js";

/** The words of a command, which must be `count`. @throws CtlError */
export function argsOf({ args }: Context, count: number, why: string): readonly string[] {
  if (args.length !== count) throw new CtlError(why, Exit.badArgs);
  return args;
}

/** Prints an answer that is a header only. */
export function showDone(
  context: Context,
  answer: { readonly header: ResponseHeader | undefined },
  simple: string,
): void {
  show(context, {
    simple: () => `${simple}\n`,
    json: () => message(answer),
    fields: () => headerFields(answer.header),
  });
}
