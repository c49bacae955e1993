import path from "node:path";
import type { SourceLocation } from "../errors/flow-error.ts";
import { FlowError, type Problem, problemsError } from "../errors/flow-error.ts";
import type { ExaminedFlow } from "../flow/define-flow.ts";
import type { FlowDefinition } from "../flow/definition.ts";
import type { FlowBundle } from "./bundle-flow.ts";
import { displayPath } from "./display-path.ts";
import type { PackagedFlow } from "./flow-package.ts";
import { type LoadablePackage, loadPackage } from "./load-package.ts";
import { projectName } from "./project-name.ts";
import { firstParagraph, readWrittenClasses, type WrittenClass, type WrittenMember } from "./source-docs.ts";

type AnyClass = (abstract new (...parameters: never[]) => object) & { readonly name: string };

/**
 * Evaluates the bundle in this process and describes the flows that it exports, default export first.
 *
 * The class says what is true; places and doc comments come from the sources, where a class is found by its name and
 * its methods.
 *
 * @throws FlowError FLOW_PACKAGE_NO_FLOW, or what the definitions of all flows have wrong, and then with their graphs too:
 *   who corrects a file hears of everything at once
 */
export async function describeFlows(pack: LoadablePackage, bundle: FlowBundle): Promise<readonly PackagedFlow[]> {
  const [namespace, { examineFlow }, { flowClassesOf, steplessFlowsOf }, written] = await Promise.all([
    loadPackage(pack),
    import("../flow/define-flow.ts"),
    import("../flow/flow-classes-of.ts"),
    writtenClasses(bundle),
  ]);
  const classes = flowClassesOf(namespace);
  const entry = path.resolve(pack.root, pack.manifest.entry);
  const projectOf = (file: string) => projectName(file, pack.root);
  const examined = classes.flatMap(({ exportName, flow: flowClass }) => {
    const levels = classLevels(flowClass as unknown as AnyClass, written, entry);
    const own = levels[0];
    // Once types are gone an abstract base looks like a flow; the source still tells.
    if (own?.isAbstract === true && own.name === (flowClass as unknown as AnyClass).name) return [];
    const location = own === undefined ? undefined : locationIn(own, own);
    const { definition, ...found } = examineFlow(flowClass, {
      project: projectOf(own?.file ?? entry),
      projectOf,
      ...(location === undefined ? {} : { location }),
    });
    return [{ exportName, definition: withDocs(definition, levels), ...found }];
  });
  const faulty = examined.filter(({ problems }) => problems.length > 0);
  if (faulty.length > 0) {
    const name = faulty.length > 1 ? `"${displayPath(entry)}"` : `flow "${faulty[0]!.definition.name}"`;
    throw problemsError(`Cannot load ${name}`, await allProblems(examined));
  }
  const flows = examined.map(({ exportName, definition }) => ({ exportName, definition }));
  if (flows.length === 0) throw noFlowError(entry, namespace, steplessFlowsOf(namespace));
  return flows;
}

/** What is wrong with definitions and, where they say what leads where, with graphs. */
async function allProblems(
  flows: readonly Pick<ExaminedFlow, "definition" | "problems" | "isGraphKnown">[],
): Promise<readonly Problem[]> {
  const { graphProblems } = await import("../graph/check-graph.ts");
  return flows.flatMap(({ definition, problems, isGraphKnown }) => [
    ...problems,
    ...(isGraphKnown ? graphProblems(definition) : []),
  ]);
}

async function writtenClasses(bundle: FlowBundle): Promise<readonly WrittenClass[]> {
  const found = await Promise.all(
    [...bundle.sources].map(([file, source]) =>
      source.text === undefined ? [] : readWrittenClasses(file, source.text),
    ),
  );
  return found.flat();
}

/** The class and its bases up to Flow as they are written, the class itself first; those not found are left out. */
function classLevels(flowClass: AnyClass, written: readonly WrittenClass[], entry: string): readonly WrittenClass[] {
  const levels: WrittenClass[] = [];
  for (
    let current: unknown = flowClass;
    typeof current === "function" && current.name !== "" && current.name !== "Flow";
    current = Object.getPrototypeOf(current)
  ) {
    const level = findWritten(current as AnyClass, written, entry);
    if (level !== undefined) levels.push(level);
  }
  return levels;
}

function findWritten(flowClass: AnyClass, written: readonly WrittenClass[], entry: string): WrittenClass | undefined {
  const methods = Object.getOwnPropertyNames(flowClass.prototype).filter((name) => name !== "constructor");
  const fitting = written.filter(
    (candidate) => candidate.name === flowClass.name && methods.every((name) => candidate.members.has(name)),
  );
  return fitting.find((candidate) => candidate.file === entry) ?? fitting[0];
}

function withDocs(definition: FlowDefinition, levels: readonly WrittenClass[]): FlowDefinition {
  const find = (name: string): { readonly level: WrittenClass; readonly member: WrittenMember } | undefined => {
    for (const level of levels) {
      const member = level.members.get(name);
      if (member !== undefined) return { level, member };
    }
    return undefined;
  };
  const helped = <T extends { readonly name: string; readonly help?: string }>(items: readonly T[]): readonly T[] =>
    items.map((item) => {
      const help = item.help ?? firstParagraph(find(item.name)?.member.doc);
      return help === undefined ? item : { ...item, help };
    });
  const summary = firstParagraph(levels[0]?.doc);
  return {
    ...definition,
    ...(summary === undefined ? {} : { summary }),
    steps: definition.steps.map((step) => {
      const found = find(step.name);
      const stepSummary = firstParagraph(found?.member.doc);
      return {
        ...step,
        ...(found === undefined ? {} : { location: locationIn(found.level, found.member) }),
        ...(stepSummary === undefined ? {} : { summary: stepSummary }),
      };
    }),
    params: helped(definition.params),
    upstreams: helped(definition.upstreams),
    configs: helped(definition.configs),
    files: helped(definition.files),
  };
}

function locationIn(level: WrittenClass, item: WrittenClass | WrittenMember): SourceLocation {
  return { file: level.file, line: item.place.line, column: item.place.column };
}

function noFlowError(
  entry: string,
  namespace: Readonly<Record<string, unknown>>,
  stepless: readonly string[],
): FlowError {
  const names = Object.keys(namespace);
  const context = { file: entry, exports: names };
  if (stepless.length > 0) {
    const list = stepless.map((name) => `"${name}"`).join(", ");
    return new FlowError("FLOW_PACKAGE_NO_FLOW", {
      message: `Cannot find a flow in "${displayPath(entry)}": ${list} ${stepless.length === 1 ? "extends Flow but has" : "extend Flow but have"} no steps`,
      hint: "Decorate a method with @step: @step() start() { … }",
      context,
    });
  }
  const exported =
    names.length === 0 ? "it exports nothing" : `it exports ${names.map((name) => `"${name}"`).join(", ")}`;
  return new FlowError("FLOW_PACKAGE_NO_FLOW", {
    message: `Cannot find a flow in "${displayPath(entry)}": ${exported}, and no class that extends Flow`,
    hint: "Export a class that extends Flow: export default class Train extends Flow { … }",
    context,
  });
}
