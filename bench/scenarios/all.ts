/** All scenarios of `npm run bench`, in the order of its table. */
import {
  compactionScenario,
  fixedRateScenario,
  kubernetesScenario,
  mixedScenario,
  putAmong,
} from "./mixes.js";
import { putScenario, rangeScenario, swapScenario } from "./one-request.js";
import type { Scenario } from "./scenario.js";
import { distinctKeysFanOut, keepAliveScenario, oneKeyFanOut } from "./watches.js";

const onBoth = (of: (members: 1 | 3) => readonly Scenario[]): readonly Scenario[] => [
  ...of(1),
  ...of(3),
];

export const scenarios: readonly Scenario[] = [
  ...onBoth((members) => [
    putScenario(members, [1, 1], members === 1 ? 15_000 : 8_000),
    putScenario(members, [20, 1], members === 1 ? 30_000 : 20_000),
    putScenario(members, [100, 10], members === 1 ? 120_000 : 80_000),
    putScenario(members, [1_000, 1], members === 1 ? 80_000 : 60_000),
  ]),
  ...onBoth((members) => [
    rangeScenario({ members, shape: [20, 1], requests: 60_000 }),
    rangeScenario({ members, shape: [100, 10], requests: 150_000 }),
  ]),
  rangeScenario({ members: 1, shape: [100, 10], requests: 150_000, serializable: true }),
  ...[false, true].flatMap((serializable) => [
    rangeScenario({ members: 1, keys: 100, shape: [10, 5], requests: 20_000, serializable }),
    rangeScenario({ members: 1, keys: 10_000, shape: [10, 1], requests: 300, serializable }),
  ]),
  ...onBoth((members) => [swapScenario(members, members === 1 ? 80_000 : 60_000)]),
  ...onBoth((members) => [kubernetesScenario(members, 10_000)]),
  ...onBoth((members) => [mixedScenario(members, 120_000)]),
  oneKeyFanOut(600_000),
  distinctKeysFanOut(60_000),
  keepAliveScenario(150_000),
  compactionScenario(120_000),
  ...onBoth((members) => [fixedRateScenario(members, 25_000)]),
  putAmong(10_000, 100_000),
  putAmong(100_000, 100_000),
  putAmong(1_000_000, 100_000),
  putAmong(5_000_000, 100_000),
];
