/** etcd's feature gates, and the flags of etcd 3.5 that mean the same. */
import type { MemberConfig } from "../member/config.js";
import { UsageError } from "./flags.js";
import type { Values } from "./values.js";

/** The stage decides whether AllAlpha or AllBeta opens a gate. A gate without a flag changes nothing. */
const gates: Readonly<
  Record<string, { readonly stage: "alpha" | "beta"; readonly flag?: string }>
> = {
  InitialCorruptCheck: { stage: "alpha", flag: "initial-corrupt-check" },
  CompactHashCheck: { stage: "alpha", flag: "compact-hash-check-enabled" },
  StopGRPCServiceOnDefrag: { stage: "alpha" },
  TxnModeWriteWithSharedBuffer: { stage: "beta" },
  LeaseCheckpoint: { stage: "alpha" },
  LeaseCheckpointPersist: { stage: "alpha" },
  SetMemberLocalAddr: { stage: "alpha" },
  FastLeaseKeepAlive: { stage: "beta" },
  PriorityRequest: { stage: "alpha" },
};
const stages = { AllAlpha: "alpha", AllBeta: "beta" } as const;

/** @throws UsageError */
export function etcdChecksOf(values: Values): MemberConfig["etcdChecks"] {
  const known = [...Object.keys(gates), ...Object.keys(stages)];
  const given = values.gates("feature-gates", known);
  const isOn = (gate: string): boolean => {
    const { stage, flag } = gates[gate] as { stage: string; flag: string };
    const ofStage = given.get(stage === stages.AllAlpha ? "AllAlpha" : "AllBeta");
    return given.get(gate) ?? (values.boolean(flag) || ofStage === true);
  };
  const compactHashMs = values.duration("compact-hash-check-time");
  if (compactHashMs <= 0) throw new UsageError("--compact-hash-check-time must be >0 (set to 0s)");
  return {
    initial: isOn("InitialCorruptCheck"),
    periodicMs: values.duration("corrupt-check-time"),
    compactHash: isOn("CompactHashCheck"),
    compactHashMs,
  };
}
