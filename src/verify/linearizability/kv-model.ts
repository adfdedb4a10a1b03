/**
 * Keys with get, put and append, as in porcupine's key-value histories: a key starts as the empty
 * text. Each key is an object of its own.
 */
import { fnv1a } from "../../base/fnv1a.js";
import type { Model } from "./model.js";

/** A call on one key. */
export type KvInput =
  | { readonly kind: "get"; readonly key: string }
  | { readonly kind: "put" | "append"; readonly key: string; readonly value: string };

/** `value`: the answer of a get. */
export interface KvOutput {
  readonly value?: string;
}

/** A text with its hash. An append continues the hash, so that long texts are not read again. */
export interface KvState {
  readonly value: string;
  readonly hash: number;
}

export type KvModel = Model<KvState, KvInput, KvOutput>;

const empty: KvState = { value: "", hash: fnv1a("") };
const objectBytes = 64;

export const kvModel: KvModel = {
  init: empty,
  step: (state, input, output) => {
    switch (input.kind) {
      case "get":
        return output === undefined || output.value === state.value ? state : undefined;
      case "put":
        return { value: input.value, hash: fnv1a(input.value) };
      case "append":
        if (input.value === "") return state;
        return { value: state.value + input.value, hash: fnv1a(input.value, state.hash) };
    }
  },
  hash: (state) => state.hash,
  equals: (left, right) => left.hash === right.hash && left.value === right.value,
  stateBytes: (state) => objectBytes + 2 * state.value.length,
  partition: (input) => input.key,
  isRead: (input) => input.kind === "get",
  likeness: (input) => (input.kind === "get" ? undefined : `${input.kind} ${input.value}`),
};
