/** The user that a command logs in as: etcdctl's flags --user and --password. */
import { splitUser } from "./ctl/auth/password.js";
import { CtlError, type Flags, type FlagTable } from "./ctl/flags.js";

export const userFlags: FlagTable = { user: "", password: "" };

export interface EndpointUser {
  readonly name: string;
  readonly password: string;
}

/**
 * Undefined: no flag names a user. Never asks a person.
 *
 * @throws CtlError if one of name and password is missing
 */
export function userOf(flags: Flags): EndpointUser | undefined {
  const user = flags.text("user");
  const given = flags.text("password");
  if (user === "") {
    if (given !== "") throw new CtlError("--password needs --user");
    return undefined;
  }
  if (given !== "") return { name: user, password: given };
  const { name, password } = splitUser(user);
  if (password === undefined) {
    throw new CtlError("--user NAME:PASSWORD, or --password beside it");
  }
  return { name, password };
}
