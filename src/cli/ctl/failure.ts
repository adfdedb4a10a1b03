/** How a command of `lockstep ctl` fails: a text for standard error and etcdctl's exit code. */

export const exitCodes = {
  failed: 1,
  badConnection: 2,
  badInput: 3,
  badFeature: 4,
  interrupted: 5,
  badArguments: 128,
} as const;

export class CtlFailure extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** @throws CtlFailure, always */
export function refuseArguments(message: string): never {
  throw new CtlFailure(exitCodes.badArguments, message);
}
