/**
 * Finds out what is wrong with a value that was read as JSON, by a description of its shape.
 * Strict: a field that the description lacks is an error too, because it may be misspelt.
 */

/** Undefined: the value matches; else the error, beginning with the path. */
export type Shape = (value: unknown, path: string) => string | undefined;

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function test(expected: string, holds: (value: unknown) => boolean): Shape {
  return (value, path) => {
    if (holds(value)) return undefined;
    return value === undefined ? `${path} is missing` : `${path} is not ${expected}`;
  };
}

export const anyText = test("a text", (value) => typeof value === "string");
export const flag = test("true or false", (value) => typeof value === "boolean");
export const whole = test("a whole number", Number.isSafeInteger);
export const count = test("a whole number from 0", (value) =>
  Number.isSafeInteger(value) && (value as number) >= 0);
/** One character for each byte. */
export const bytesText = test("a text of latin-1 characters", (value) =>
  typeof value === "string" && /^[\0-\xff]*$/.test(value));
export const decimalText = test("a whole number as text", (value) =>
  typeof value === "string" && /^-?\d+$/.test(value));

/** One of these texts. */
export function oneOf(...allowed: readonly string[]): Shape {
  return test(`one of ${allowed.join(", ")}`, (value) => allowed.some((one) => one === value));
}

/** A list, also an empty one. The error names the first wrong item. */
export function listOf(item: Shape): Shape {
  return (value, path) => {
    if (!Array.isArray(value)) return test("a list", () => false)(value, path);
    for (const [at, one] of value.entries()) {
      const problem = item(one, `${path}[${at}]`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

/** An object with all required fields, perhaps optional ones, and no others. */
export function record(
  required: Readonly<Record<string, Shape>>,
  optional: Readonly<Record<string, Shape>> = {},
): Shape {
  return (value, path) => {
    if (!isFields(value)) return test("an object", () => false)(value, path);
    for (const name of Object.keys(value)) {
      if (!Object.hasOwn(required, name) && !Object.hasOwn(optional, name)) {
        return `${path} has the unknown field "${name}"`;
      }
    }
    for (const [name, shape] of Object.entries(required)) {
      const problem = shape(value[name], `${path}.${name}`);
      if (problem !== undefined) return problem;
    }
    for (const [name, shape] of Object.entries(optional)) {
      const problem = value[name] === undefined ? undefined : shape(value[name], `${path}.${name}`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

/** Records that differ by their field `kind`; each description includes that field. */
export function byKind(shapes: Readonly<Record<string, Shape>>): Shape {
  const known = oneOf(...Object.keys(shapes));
  return (value, path) => {
    if (!isFields(value)) return test("an object", () => false)(value, path);
    const problem = known(value.kind, `${path}.kind`);
    return problem ?? (shapes[value.kind as string] as Shape)(value, path);
  };
}

/** A value of one of two shapes that do not resemble each other. */
export function either(first: Shape, second: Shape): Shape {
  return (value, path) => (first(value, path) === undefined ? undefined : second(value, path));
}
