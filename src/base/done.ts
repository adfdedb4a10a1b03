/** How an asynchronous step of the member ends. */
import type { KvError } from "./errors.js";

/** Called exactly once, possibly inside the call that takes it, with the result or the refusal. */
export type Done<T> = (result: T | KvError) => void;
