import { runCampaign } from "./differential/campaign.js";
for (const seed of [1001,1002,1003,1004]) {
await runCampaign({reference:"etcd35",subject:"etcd35",seed,sequences:150,length:100,restartEvery:12}).then(n=>console.log(seed,n), e=>console.log(seed,String(e.message)));
}
