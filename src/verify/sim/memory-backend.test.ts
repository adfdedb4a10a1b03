import { describeBackend } from "../../platform/backend.contract.js";
import { createMemoryBackendStore, type MemoryBackendStore } from "./memory-backend.js";

describeBackend("memory", () => {
  const defer = setImmediate;
  let store: MemoryBackendStore = createMemoryBackendStore({ defer });
  return {
    store,
    reopen: () => {
      const [image, ...more] = store.crashImages();
      if (image === undefined || more.length > 0) throw new Error("a closed store has one image");
      store = createMemoryBackendStore({ defer, image });
      return store;
    },
    dispose: () => {},
  };
});
