/**
 * A register with read, write and compare-and-set, as in Jepsen's and porcupine's tests: it starts
 * without a value (null). A compare-and-set that answered that it failed saw another value.
 */
import { fnv1a } from "../../base/fnv1a.js";
import type { Model } from "./model.js";

/** The register's content. null: nothing was written yet. */
export type RegisterValue = number | string | null;

/** A call on the register. */
export type RegisterInput =
  | { readonly kind: "read"; readonly key?: string }
  | { readonly kind: "write"; readonly key?: string; readonly value: RegisterValue }
  | {
      readonly kind: "cas";
      readonly key?: string;
      readonly from: RegisterValue;
      readonly to: RegisterValue;
    };

/** Its answer. */
export type RegisterOutput =
  | { readonly kind: "read"; readonly value: RegisterValue }
  | { readonly kind: "write" }
  | { readonly kind: "cas"; readonly succeeded: boolean };

export type RegisterModel = Model<RegisterValue, RegisterInput, RegisterOutput>;

export const registerModel: RegisterModel = {
  init: null,
  step: (value, input, output) => {
    switch (input.kind) {
      case "read":
        return output?.kind !== "read" || output.value === value ? value : undefined;
      case "write":
        return input.value;
      case "cas": {
        const holds = value === input.from;
        if (output?.kind === "cas" && output.succeeded !== holds) return undefined;
        return holds ? input.to : value;
      }
    }
  },
  hash: hashValue,
  equals: (left, right) => left === right,
  // A separate register for each key, if calls name one.
  partition: (input) => input.key ?? "",
  isRead: (input, output) => {
    if (input.kind === "cas") {
      return input.from === input.to || (output?.kind === "cas" && !output.succeeded);
    }
    return input.kind === "read";
  },
  likeness: (input, output) => {
    if (input.kind === "write") return `write ${typeof input.value} ${input.value}`;
    // A failed call never changes the state; an unknown one changes it only where a successful one
    // would.
    if (input.kind !== "cas" || (output?.kind === "cas" && !output.succeeded)) return undefined;
    return `cas ${typeof input.from} ${JSON.stringify([input.from, input.to])}`;
  },
};

function hashValue(value: RegisterValue): number {
  if (typeof value === "number") return value | 0;
  return value === null ? -1_000_000 : fnv1a(value);
}
