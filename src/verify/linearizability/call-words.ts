/** The text of the models' calls and states for people. */
import type { KvInput, KvOutput, KvState } from "./kv-model.js";
import type { RegisterInput, RegisterOutput, RegisterValue } from "./register-model.js";

export interface CallWords<State, Input, Output> {
  call(input: Input, output: Output | undefined): string;
  state(state: State): string;
  /** The name of a partition, as in "of key 3". */
  part(partition: string): string;
}

const textMax = 60;

/** Shows both ends of long values: appended values differ at the end. */
function shortened(text: string): string {
  if (text.length <= textMax) return text;
  const half = textMax / 2 - 2;
  return `${text.slice(0, half)}...${text.slice(-half)} (${text.length} characters)`;
}

function shown(value: RegisterValue | undefined): string {
  return typeof value === "string" ? shortened(JSON.stringify(value)) : `${value ?? "nil"}`;
}

/** Words for the model of one register. */
export const registerWords: CallWords<RegisterValue, RegisterInput, RegisterOutput> = {
  call: (input, output) => {
    const end = output === undefined ? ": no answer" : "";
    switch (input.kind) {
      case "read":
        return output?.kind === "read" ? `read: ${shown(output.value)}` : "read: no answer";
      case "write":
        return `write ${shown(input.value)}${end}`;
      case "cas": {
        const answer = output?.kind === "cas" ? (output.succeeded ? ": done" : ": refused") : end;
        return `cas ${shown(input.from)} to ${shown(input.to)}${answer}`;
      }
    }
  },
  state: shown,
  part: (partition) => (partition === "" ? "" : ` of register ${partition}`),
};

/** Words for the model of a map of keys. */
export const kvWords: CallWords<KvState, KvInput, KvOutput> = {
  call: (input, output) => {
    if (input.kind === "get")
      return `get: ${output === undefined ? "no answer" : shown(output.value)}`;
    return `${input.kind} ${shown(input.value)}${output === undefined ? ": no answer" : ""}`;
  },
  state: ({ value }) => shown(value),
  part: (partition) => ` of key ${JSON.stringify(partition)}`,
};
