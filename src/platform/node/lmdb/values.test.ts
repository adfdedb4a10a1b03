import { expect, test } from "vitest";
import { ValueCopier } from "./values.js";

type Lent = Parameters<ValueCopier["decode"]>[0];

test.each([10, 100_000])(
  "a value of %i bytes outlives the memory that the package lent",
  (size) => {
    const copier = new ValueCopier();
    // A Buffer, as the package gives it for what its own buffer does not hold.
    const lent = Object.assign(Buffer.alloc(size, 7), { maxLength: undefined }) as Lent;
    const value = copier.decode(lent);
    lent.fill(0);
    expect(Buffer.compare(value, Buffer.alloc(size, 7))).toBe(0);
  },
);
