/**
 * What every store of records must do, clause by clause of `metadata/metadata-store.ts`. A back-end is finished when its
 * test file is a factory and a few lines, and this suite is green.
 */
import { afterEach, beforeEach, describe } from "vitest";
import type { Liveness } from "../../../packages/core/src/metadata/liveness.ts";
import type { MetadataReader, MetadataStore, TaskReader } from "../../../packages/core/src/metadata/metadata-store.ts";
import { afterClose } from "./after-close.ts";
import { beginExecutionVerb } from "./begin-execution.ts";
import { cacheVerb } from "./cache.ts";
import { childRunVerb } from "./child-runs.ts";
import { commitTickVerb } from "./commit-tick.ts";
import { createRunVerb } from "./create-run.ts";
import { finishRunVerb } from "./finish-run.ts";
import { finishedTasksVerb } from "./finished-tasks.ts";
import { importRunsVerb } from "./import-runs.ts";
import { lineageVerb } from "./lineage.ts";
import { livenessVerb } from "./liveness.ts";
import { logsVerb } from "./logs.ts";
import { metricsVerb } from "./metrics.ts";
import { moveTagsVerb } from "./move-tags.ts";
import { packageVerb } from "./packages.ts";
import { noon } from "./records.ts";
import { runsVerb } from "./runs.ts";
import { signaturesVerb } from "./signatures.ts";
import { tagPoliciesVerb } from "./tag-policies.ts";
import { takeOverVerb } from "./take-over.ts";
import { taskReaderVerb } from "./task-reader.ts";
import { tasksVerb } from "./tasks.ts";

/** A machine with processes that begin and end, and a clock that jumps, as a test says. */
export interface HereAndNow extends Liveness {
  /** Processes of this machine that live: pid to the time of their start. */
  readonly processes: Map<number, string>;
  time: number;
}

/** A machine on which the runner of the suite's records does not run. */
export function hereAndNow(): HereAndNow {
  return {
    self: { host: "here", pid: 1, bootId: "boot", pidNamespace: "pid:[1]", startedAt: "1" },
    processes: new Map([[1, "1"]]),
    time: noon.getTime(),
    now() {
      return this.time;
    },
    isAlive(pid, startedAt) {
      const found = this.processes.get(pid);
      return found !== undefined && found === startedAt;
    },
  };
}

export interface MetadataStoreFixture {
  /** A store, empty, for one test. */
  readonly store: MetadataStore;
  /** The same records through a second, independent connection. */
  readonly reopen: () => Promise<MetadataStore>;
  readonly openReadOnly: () => Promise<MetadataReader>;
  readonly openTaskReader: () => TaskReader;
  /** What the store is told about processes and the time, to be changed by a test. */
  readonly here: HereAndNow;
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
    beginExecutionVerb(under);
    livenessVerb(under);
    finishedTasksVerb(under);
    takeOverVerb(under);
    cacheVerb(under);
    childRunVerb(under);
    importRunsVerb(under);
    metricsVerb(under);
    moveTagsVerb(under);
    tagPoliciesVerb(under);
    signaturesVerb(under);
    lineageVerb(under);
    packageVerb(under);
    taskReaderVerb(under);
    afterClose(under);
  });
}
