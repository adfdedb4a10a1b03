import { createHmac, generateKeyPairSync, type KeyObject } from "node:crypto";
import { expect, test } from "vitest";
import { KvError } from "../../../base/errors.js";
import type { TokenClaims, TokenSigner } from "../../credentials.js";
import { createJwtSigner } from "./jwt.js";

const claims: TokenClaims = { username: "u", revision: 7, expiresUnixMs: 4_102_444_800_000 };
const sign = (signer: TokenSigner, of = claims) =>
  new Promise<string | KvError>((resolve) => signer.sign(of, resolve));
const verify = (signer: TokenSigner, token: string) =>
  new Promise<TokenClaims | undefined>((resolve) => signer.verify(token, resolve));
const pem = (key: KeyObject): Buffer =>
  Buffer.from(key.export({ format: "pem", type: key.type === "public" ? "spki" : "pkcs8" }));

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const other = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = (namedCurve: string) => generateKeyPairSync("ec", { namedCurve });
const pairs = {
  RS: rsa,
  PS: rsa,
  ES256: ec("prime256v1"),
  ES384: ec("secp384r1"),
  ES512: ec("secp521r1"),
  EdDSA: generateKeyPairSync("ed25519"),
};
const keysOf = (method: string) => {
  const pair = pairs[method as keyof typeof pairs] ?? pairs[method.slice(0, 2) as "RS"];
  return { method, publicKey: pem(pair.publicKey), privateKey: pem(pair.privateKey) };
};
const rs256 = keysOf("RS256");
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

test.each([
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
])(
  "%s: what one member signs, a member with the public key verifies, and cannot sign",
  async (method) => {
    const keys = keysOf(method);
    const token = await sign(createJwtSigner(keys));
    const verifier = createJwtSigner({ ...keys, privateKey: undefined });
    expect(await verify(verifier, String(token))).toEqual(claims);
    expect(await sign(verifier)).toEqual(new KvError("verifyOnly"));
    expect(await verify(verifier, `${String(token).slice(0, -4)}AAAA`)).toBeUndefined();
  },
);

test.each(["HS256", "HS384", "HS512"])("%s: a shared secret", async (method) => {
  const signer = createJwtSigner({ method, publicKey: undefined, privateKey: Buffer.alloc(64, 5) });
  const another = createJwtSigner({
    method,
    publicKey: undefined,
    privateKey: Buffer.alloc(64, 6),
  });
  const token = String(await sign(signer));
  expect(await verify(signer, token)).toEqual(claims);
  expect(await verify(another, token)).toBeUndefined();
});

test("no token passes that is unsigned, signed by another key or by another method", async () => {
  const signer = createJwtSigner(rs256);
  const body = part({ username: "root", revision: 99, exp: 4_102_444_800 });
  const hmacHead = `${part({ alg: "HS256", typ: "JWT" })}.${body}`;
  // The attacker signs with the public key as an HMAC secret. A verifier that takes the method from
  // the token would accept this.
  const hmac = createHmac("sha256", rs256.publicKey).update(hmacHead).digest("base64url");
  const otherKey = { ...rs256, publicKey: undefined, privateKey: pem(other.privateKey) };
  const tokens = [
    `${part({ alg: "none", typ: "JWT" })}.${body}.`,
    `${part({ alg: "None" })}.${body}.`,
    `${hmacHead}.${hmac}`,
    String(await sign(createJwtSigner(otherKey))),
    String(await sign(createJwtSigner({ ...keysOf("PS256"), method: "PS256" }))),
    String(await sign(signer, { ...claims, expiresUnixMs: 1_000 })),
    "",
    "a.b.c",
    "x".repeat(10_000),
  ];
  for (const token of tokens)
    expect([token, await verify(signer, token)]).toEqual([token, undefined]);
});

test("a token without a name, or with a revision that is no number, is none", async () => {
  const { SignJWT } = await import("jose");
  const signer = createJwtSigner(rs256);
  for (const payload of [{ revision: 1 }, { username: "u" }, { username: "u", revision: "1" }]) {
    const token = await new SignJWT(payload)
      .setProtectedHeader({ alg: "RS256" })
      .sign(rsa.privateKey);
    expect(await verify(signer, token)).toBeUndefined();
  }
});

test.each([
  [{ ...rs256, publicKey: undefined, privateKey: undefined }, "RS256 needs pub-key=FILE"],
  [{ ...rs256, publicKey: pem(other.publicKey) }, "do not belong together"],
  [{ ...rs256, method: "ES256" }, "sign-method=ES256 does not go with the key, which is rsa"],
  [{ ...keysOf("ES384"), method: "ES256" }, "which is ec (secp384r1)"],
  [{ ...rs256, privateKey: Buffer.from("nonsense") }, "the file priv-key holds no private key"],
  [{ ...rs256, method: "HS256", privateKey: undefined }, "HS256 needs priv-key=FILE"],
])("keys that cannot work are refused at the start: %#", (keys, text) => {
  expect(() => createJwtSigner(keys)).toThrow(text);
});
