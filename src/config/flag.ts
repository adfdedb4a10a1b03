/** One flag of `lockstep server`, with etcd's name and default. */

export type FlagKind = "text" | "integer" | "boolean" | "duration" | "urls";

export interface Flag {
  readonly name: string;
  readonly kind: FlagKind;
  readonly initial: string;
  readonly help: string;
  /**
   * accepted: the flag takes any value and changes nothing. refused: it takes only etcd's default,
   * because any other value asks for something that this build lacks. `help` says why. Absent: the
   * flag works.
   */
  readonly verdict?: "accepted" | "refused";
}

export function flag(
  name: string,
  kind: FlagKind,
  initial: string,
  help: string,
  verdict?: Flag["verdict"],
): Flag {
  return { name, kind, initial, help, ...(verdict === undefined ? {} : { verdict }) };
}

type Rest = [kind: FlagKind, initial: string, help: string, verdict: Flag["verdict"]];

/** The end of a flag's row: the flag takes any value and changes nothing, for the reason `why`. */
export function accepted(kind: FlagKind, initial: string, why: string): Rest {
  return [kind, initial, why, "accepted"];
}

/** The end of a flag's row: the flag takes only its default, for the reason `why`. */
export function refused(kind: FlagKind, initial: string, why: string): Rest {
  return [kind, initial, why, "refused"];
}
