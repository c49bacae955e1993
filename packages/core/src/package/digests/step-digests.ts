/**
 * A digest of each step's code: of its method and of all that it reaches in the user's files, with the exact versions of
 * the installed packages among it. Equal digests mean that the step would do the same with the same inputs; a change
 * elsewhere in the flow leaves them as they are. `flow resume` compares them, the step cache looks tasks up by them.
 *
 * They are taken from the bundle, where types, comments and formatting are gone, by names: too much may count, never too
 * little. What cannot be told (`eval`, `this[expression]`, an import of an expression) makes the digest that of the whole
 * bundle. What counts and what does not is written down in docs/formats/code-package.md.
 */
import type { Digest } from "../../artifact/artifact.ts";
import type { FlowDefinition, StepDefinition } from "../../flow/definition.ts";
import type { PackagedFlow, PackageManifest } from "../flow-package.ts";
import { contentDigest } from "../package-digest.ts";
import { type BundleUnits, bundleUnits, externalOf } from "./bundle-units.ts";
import { bundleEffects } from "./effects.ts";
import { type ExternalIdentity, externalIdentities } from "./external-identity.ts";
import { flowMembers } from "./flow-members.ts";
import { type ReachContext, reachedDigest } from "./reached-code.ts";
import { listAt, type Node, nameOf, nodeAt } from "./syntax.ts";

/** Stands in every digest: another way of taking them must not meet digests of this one. */
const FORM = "millrace step 1";

export interface DigestedPackage {
  readonly code: string;
  /** Where the installed packages are looked for. */
  readonly root: string;
  readonly manifest: PackageManifest;
}

/** The flows with a `codeDigest` for each step. */
export async function withStepDigests(
  flows: readonly PackagedFlow[],
  pack: DigestedPackage,
): Promise<readonly PackagedFlow[]> {
  const bundle = bundleUnits(pack.code, await import("oxc-parser"));
  const identities = externalIdentities(pack.root, pack.manifest);
  const digestOf = bundle === undefined ? () => undefined : digester(bundle, identities);
  const whole = wholeDigest(pack.code, identities);
  return flows.map(({ exportName, definition }) => {
    const digests = digestOf(exportName, definition);
    return {
      exportName,
      definition: {
        ...definition,
        steps: definition.steps.map((step) => {
          const digest = digests?.(step) ?? `${whole} ${step.name}`;
          return { ...step, codeDigest: contentDigest(`${FORM}\n${digest}`) };
        }),
      },
    };
  });
}

type StepDigest = (step: StepDefinition) => string | undefined;

function digester(
  bundle: BundleUnits,
  identities: ReadonlyMap<string, ExternalIdentity>,
): (exportName: string, definition: FlowDefinition) => StepDigest | undefined {
  const effects = bundleEffects(bundle);
  const stored = storedClasses(bundle);
  const identityOf = (source: string): string => {
    const from = externalOf(source);
    return from === undefined ? source : (identities.get(`${from.key}/${from.specifier}`)?.text ?? source);
  };
  const teaching = [...identities.values()].filter(({ usesCore }) => usesCore).map(({ text }) => text);
  const loaded = bundle.sideEffectImports.map(identityOf);
  return (exportName) => {
    const local = bundle.exports.get(exportName);
    const members = local === undefined ? undefined : flowMembers(bundle, local);
    if (members === undefined) return undefined;
    const context: ReachContext = {
      effects,
      members,
      stored,
      identityOf,
      identities: [...teaching, ...loaded],
    };
    return (step) =>
      reachedDigest(
        context,
        step.name,
        [step.foreach, step.on].filter((field) => field !== undefined),
      );
  };
}

/**
 * What teaches the store a class. Its options (`upgrade`) run whenever a value is read, so they count everywhere; the class
 * counts where one of its members is mentioned.
 */
function storedClasses(bundle: BundleUnits): ReachContext["stored"] {
  const { coreImports } = bundle.names;
  const registrations = bundle.units.filter(
    ({ kind, facts }) =>
      kind !== "import" &&
      facts.names.some((name) => ["storable", "defineCodec"].includes(coreImports.get(name) ?? "")),
  );
  const lists = new Set(registrations.flatMap(({ defines }) => defines));
  const classes = bundle.units
    .filter(({ node }) => lists.has(decoratorsName(node) ?? ""))
    .flatMap(({ defines }) => defines);
  const everywhere: string[] = [];
  const byMember: { readonly name: string; readonly words: ReadonlySet<string> }[] = [];
  for (const name of classes) {
    const members = flowMembers(bundle, name);
    const words = new Set(members?.byName.keys());
    if (members === undefined || members.isOpen || IMPLICIT.some((word) => words.has(word))) everywhere.push(name);
    else byMember.push({ name, words });
  }
  return { registrations, everywhere, byMember };
}

/** Members that are called without being named. */
const IMPLICIT = ["toJSON", "toString", "valueOf", "then"];

/** The variable with the decorators that `__decorateElement(record, flags, name, decorators, Class)` applies. */
function decoratorsName(node: Node): string | undefined {
  const call = node.type === "AssignmentExpression" ? nodeAt(node, "right")! : node;
  const list = listAt(call, "arguments");
  return list.length >= 5 ? nameOf(list[3]) : undefined;
}

function wholeDigest(code: string, identities: ReadonlyMap<string, ExternalIdentity>): Digest {
  return contentDigest([code, ...[...identities.values()].map(({ text }) => text).sort()].join("\u0002"));
}
