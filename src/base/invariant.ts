/**
 * Assertions that stay on in production. A violated invariant is a bug. The member then stops,
 * because the code that follows was not written for such a state.
 */

/**
 * The error of a violated invariant. The owner of the work (a request, a job, a callback of the
 * platform) passes it to the member, which stops. No code handles it like another error.
 */
export class InvariantViolation extends Error {
  override readonly name = "InvariantViolation";
  readonly details: Readonly<Record<string, unknown>>;

  constructor(message: string, details: Readonly<Record<string, unknown>> = {}) {
    const shown = Object.entries(details).map(([key, value]) => `${key}=${String(value)}`);
    super(shown.length === 0 ? message : `${message} (${shown.join(", ")})`);
    this.details = details;
  }
}

/**
 * Throws an InvariantViolation unless `holds`. Costs one comparison if it holds; `details` runs
 * only if it does not.
 */
export function invariant(
  holds: boolean,
  message: string,
  details: () => Readonly<Record<string, unknown>> = () => ({}),
): asserts holds {
  if (!holds) throw new InvariantViolation(message, details());
}

/**
 * Marks a branch that the type checker proves dead. A new member of the union breaks the build
 * here.
 */
export function unreachable(value: never): never {
  throw new InvariantViolation("unreachable value", { value });
}
