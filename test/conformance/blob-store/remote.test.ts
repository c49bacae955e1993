import { openRemoteUnderTest } from "../../kit/remote-store.ts";
import { blobStoreSuite } from "./suite.ts";

blobStoreSuite("behind a network", () => {
  const remote = openRemoteUnderTest();
  return { store: remote.store, reopen: () => remote.open(), dispose: () => remote.dispose() };
});
