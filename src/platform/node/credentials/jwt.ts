/**
 * JSON Web Tokens by the library jose. One method is accepted: the configured one. So a token that
 * names another method (none, or HMAC with the public key as its secret) is refused before its
 * signature is looked at.
 */
import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from "node:crypto";
import { jwtVerify, SignJWT } from "jose";
import { KvError, StartError } from "../../../base/errors.js";
import type { TokenClaims, TokenSigner } from "../../credentials.js";

const curves: Readonly<Record<string, string>> = {
  ES256: "prime256v1",
  ES384: "secp384r1",
  ES512: "secp521r1",
};

/** File contents; undefined: not given. */
export interface JwtKeys {
  /** RS, PS, ES or HS with 256, 384 or 512, or EdDSA. */
  readonly method: string;
  readonly publicKey: Buffer | undefined;
  readonly privateKey: Buffer | undefined;
}

interface KeyPair {
  /** Undefined: tokens can only be verified. */
  readonly signing: KeyObject | undefined;
  readonly verifying: KeyObject;
}

/** @throws StartError that says what is wrong with the keys */
export function createJwtSigner(keys: JwtKeys): TokenSigner {
  const { method } = keys;
  const { signing, verifying } = method.startsWith("HS") ? secretOf(keys) : keyPairOf(keys);
  return {
    sign: (claims, done) => {
      if (signing === undefined) {
        setImmediate(() => done(new KvError("verifyOnly")));
        return;
      }
      settle(
        new SignJWT({ username: claims.username, revision: claims.revision })
          .setProtectedHeader({ alg: method, typ: "JWT" })
          .setExpirationTime(Math.floor(claims.expiresUnixMs / 1000))
          .sign(signing),
        (token) => done(token ?? new KvError("internal")),
      );
    },
    verify: (token, done) => {
      settle(
        jwtVerify(token, verifying, { algorithms: [method] }).then(({ payload }) =>
          claimsOf(payload),
        ),
        done,
      );
    },
  };
}

/**
 * Calls `told` from a timer's callback, so that the timer's owner gets what it throws, and not the
 * promise.
 */
function settle<T>(promise: Promise<T | undefined>, told: (value: T | undefined) => void): void {
  promise.then(
    (value) => setImmediate(() => told(value)),
    () => setImmediate(() => told(undefined)),
  );
}

function claimsOf(payload: Readonly<Record<string, unknown>>): TokenClaims | undefined {
  const { username, revision, exp } = payload;
  if (typeof username !== "string" || typeof revision !== "number") return undefined;
  if (!Number.isSafeInteger(revision) || revision < 0) return undefined;
  const expiresUnixMs = typeof exp === "number" ? exp * 1000 : Number.POSITIVE_INFINITY;
  return { username, revision, expiresUnixMs };
}

function secretOf({ method, privateKey }: JwtKeys): KeyPair {
  if (privateKey === undefined || privateKey.length === 0) {
    throw refusal(`${method} needs priv-key=FILE with the secret`);
  }
  const secret = createSecretKey(privateKey);
  return { signing: secret, verifying: secret };
}

function keyPairOf({ method, privateKey, publicKey }: JwtKeys): KeyPair {
  const signing = privateKey && readKey("priv-key", "private", () => createPrivateKey(privateKey));
  const given = publicKey && readKey("pub-key", "public", () => createPublicKey(publicKey));
  const verifying = signing === undefined ? given : createPublicKey(signing);
  if (verifying === undefined) {
    throw refusal(`${method} needs pub-key=FILE, and priv-key=FILE to give out tokens`);
  }
  if (given !== undefined && !given.equals(verifying)) {
    throw refusal("the files pub-key and priv-key hold keys that do not belong together");
  }
  checkKind(method, verifying);
  return { signing, verifying };
}

function checkKind(method: string, key: KeyObject): void {
  const kind = key.asymmetricKeyType;
  const curve = key.asymmetricKeyDetails?.namedCurve;
  const isRight = method.startsWith("ES")
    ? kind === "ec" && curve === curves[method]
    : kind === (method === "EdDSA" ? "ed25519" : "rsa");
  if (isRight) return;
  const found = curve === undefined ? kind : `${kind} (${curve})`;
  throw refusal(`sign-method=${method} does not go with the key, which is ${found}`);
}

function readKey(option: string, kind: string, read: () => KeyObject): KeyObject {
  try {
    return read();
  } catch (error) {
    throw refusal(`the file ${option} holds no ${kind} key in PEM: ${(error as Error).message}`);
  }
}

function refusal(why: string): StartError {
  return new StartError(`--auth-token: ${why}`);
}
