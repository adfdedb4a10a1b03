import { runCampaign } from "./differential/campaign.js";

for (const seed of [901, 902, 903]) {
  await runCampaign({
    reference: "etcd35",
    subject: "etcd35",
    seed,
    sequences: 60,
    length: 40,
    restartEvery: 2,
  }).then(
    (n) => console.log(seed, n),
    (e) => console.log(seed, String(e.message).slice(0, 3000)),
  );
}
