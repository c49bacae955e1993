import type { CurrentTask } from "../../../flow/current.ts";
import type { ReadWatch } from "../read-watch.ts";

/** The facts of a task that `current` gives, telling which of them are asked for. */
export function watchedCurrent(task: CurrentTask, watch: ReadWatch): CurrentTask {
  const run = watched(task.run, (fact) => watch.read(`current.run.${fact}`));
  const { step, path, attempt } = task;
  const facts = watched({ step, path, attempt }, (fact) => watch.read(`current.${fact}`));
  return Object.defineProperties(facts as CurrentTask, {
    run: { value: run },
    index: { get: () => void watch.read("current.index") }, // Worked out from the path, which is the same to the key.
    recordRead: {
      value: (read: Parameters<NonNullable<CurrentTask["recordRead"]>>[0]) => {
        watch.unknownRead("runs through the client");
        task.recordRead?.(read);
      },
    },
    callFlow: {
      value:
        task.callFlow &&
        ((...call: Parameters<NonNullable<CurrentTask["callFlow"]>>) => {
          watch.unknownRead("runs of flows that it started");
          return task.callFlow!(...call);
        }),
    },
    log: { value: task.log }, // Records, and tells the step nothing.
    recordUnknownRead: { value: (what: string) => watch.unknownRead(what) },
  });
}

/** An object of the same facts, each of which is told when it is asked for. */
function watched<T extends object>(facts: T, onRead: (fact: string) => void): T {
  const properties = Object.entries(facts).map(([name, value]) => {
    const get = (): unknown => {
      onRead(name);
      return value;
    };
    return [name, { get, enumerable: true }] as const;
  });
  return Object.defineProperties({}, Object.fromEntries(properties)) as T;
}
