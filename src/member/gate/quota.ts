/**
 * The space quota. The member that proposes enforces it, because apply never looks at a local size.
 * When a request would grow the backend past the quota, the member refuses it and proposes the
 * NOSPACE alarm.
 */
import { KvError } from "../../base/errors.js";
import type { MachineReader } from "../../state/types.js";
import { AlarmRequest, AlarmRequest_AlarmAction, AlarmType } from "../../wire/gen/rpc.js";
import { RequestField } from "../../wire/proposal.js";

export interface QuotaParts {
  readonly selfId: bigint;
  /** 0: no limit. */
  readonly quotaBytes: number;
  machine(): MachineReader;
  backendBytes(): number;
  propose(field: RequestField, body: Uint8Array, done: () => void): void;
}

export class Quota {
  readonly #parts: QuotaParts;
  #isRaising = false;

  constructor(parts: QuotaParts) {
    this.#parts = parts;
  }

  /** Undefined: the request may grow the store by `growthBytes`. Otherwise the refusal. */
  check(growthBytes: number): KvError | undefined {
    if (growthBytes === 0) return undefined;
    if (this.#hasAlarm()) return new KvError("noSpace");
    const { quotaBytes } = this.#parts;
    if (quotaBytes <= 0 || this.#parts.backendBytes() + growthBytes <= quotaBytes) return undefined;
    this.#raise();
    return new KvError("noSpace");
  }

  #hasAlarm(): boolean {
    const alarms = this.#parts.machine().alarms();
    return alarms.length > 0 && alarms.some((record) => record.alarm === "NOSPACE");
  }

  #raise(): void {
    if (this.#isRaising) return;
    this.#isRaising = true;
    const body = AlarmRequest.encode({
      action: AlarmRequest_AlarmAction.ACTIVATE,
      memberID: this.#parts.selfId,
      alarm: AlarmType.NOSPACE,
    }).finish();
    this.#parts.propose(RequestField.alarm, body, () => {
      this.#isRaising = false;
    });
  }
}
