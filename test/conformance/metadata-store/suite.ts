/**
 * What every store of records must do, clause by clause of `metadata/metadata-store.ts`. A back-end is finished when its
 * test file is a factory and a few lines, and this suite is green.
 */
import { afterEach, beforeEach, describe } from "vitest";
import type { MetadataReader, MetadataStore, TaskReader } from "../../../packages/core/src/metadata/metadata-store.ts";
import { afterClose } from "./after-close.ts";
import { commitTickVerb } from "./commit-tick.ts";
import { createRunVerb } from "./create-run.ts";
import { finishRunVerb } from "./finish-run.ts";
import { lineageVerb } from "./lineage.ts";
import { logsVerb } from "./logs.ts";
import { moveTagsVerb } from "./move-tags.ts";
import { packageVerb } from "./packages.ts";
import { runsVerb } from "./runs.ts";
import { taskReaderVerb } from "./task-reader.ts";
import { tasksVerb } from "./tasks.ts";

export interface MetadataStoreFixture {
  /** A store, empty, for one test. */
  readonly store: MetadataStore;
  /** The same records through a second, independent connection. */
  readonly reopen: () => Promise<MetadataStore>;
  readonly openReadOnly: () => Promise<MetadataReader>;
  readonly openTaskReader: () => TaskReader;
  /** Takes away what the factory made, after the store was closed. */
  readonly dispose?: () => Promise<void> | void;
}

/** What a verb's tests see: the store of the running test. */
export interface MetadataStoreUnderTest {
  readonly store: MetadataStore;
  readonly fixture: MetadataStoreFixture;
}

export function metadataStoreSuite(name: string, factory: () => Promise<MetadataStoreFixture>): void {
  describe(`metadata store: ${name}`, () => {
    let fixture: MetadataStoreFixture;
    beforeEach(async () => {
      fixture = await factory();
    });
    afterEach(async () => {
      await fixture.store.close();
      await fixture.dispose?.();
    });
    const under: MetadataStoreUnderTest = {
      get store() {
        return fixture.store;
      },
      get fixture() {
        return fixture;
      },
    };
    createRunVerb(under);
    runsVerb(under);
    commitTickVerb(under);
    tasksVerb(under);
    logsVerb(under);
    finishRunVerb(under);
    moveTagsVerb(under);
    lineageVerb(under);
    packageVerb(under);
    taskReaderVerb(under);
    afterClose(under);
  });
}
